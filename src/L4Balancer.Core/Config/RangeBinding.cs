using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>Arrays of address ranges: <c>allow</c>, <c>deny</c>, <c>accept_proxy_from</c>, and <c>source</c> of routes.</summary>
internal static class RangeBinding
{
    private const string Form = "an array of address ranges, like [\"10.0.0.0/8\", \"2001:db8::/32\", \"unix\"]";

    public static ImmutableArray<Cidr> Bind(TableBinder table, string key)
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryItems(Form, out ImmutableArray<Setting> items))
        {
            return [];
        }

        ImmutableArray<Cidr>.Builder ranges = ImmutableArray.CreateBuilder<Cidr>(items.Length);
        foreach (Setting item in items)
        {
            if (!item.TryText(Form, out string text))
            {
                continue;
            }

            if (Cidr.TryParse(text, out Cidr range))
            {
                ranges.Add(range);
                WarnOfHostBits(item, text, range);
            }
            else if (Cidr.OfMapped(text) is { } mapped)
            {
                item.Reject($"{Quoted.Text(text)} is a range of IPv4 addresses in IPv6 form; write \"{mapped}\"");
            }
            else
            {
                item.Reject($"{Quoted.Text(text)} is not an address range, like \"10.0.0.0/8\", \"2001:db8::/32\" or \"192.0.2.7\", or \"unix\"");
            }
        }

        return ranges.ToImmutable();
    }

    private static void WarnOfHostBits(Setting item, string text, Cidr range)
    {
        HostAddress first = range == Cidr.Unix ? range.Network : range.Network.Masked(range.MappedBits);
        if (first == range.Network)
        {
            return;
        }

        item.Errors.Warn(
            item.Position, item.Key, $"{Quoted.Text(text)} has bits set beyond its prefix; it means \"{first}{text[text.IndexOf('/', StringComparison.Ordinal)..]}\"");
    }
}
