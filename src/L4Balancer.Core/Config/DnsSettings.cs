using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[dns]</c>.</summary>
public sealed record DnsSettings
{
    /// <summary>Addresses for UDP and TCP; one in the file's usual form.</summary>
    public ImmutableArray<Endpoint> Listen { get; init; } = [];

    /// <summary>The zone, in lower case and without a trailing dot.</summary>
    public string Zone { get; init; } = "";

    /// <summary>UDP answers a second to one IPv4 /24 or IPv6 /56; 0 means no limit.</summary>
    public int RatePerSource { get; init; } = 20;

    /// <summary>How long an answer may be used; whole seconds.</summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The public addresses of this balancer.</summary>
    public ImmutableArray<HostAddress> Address { get; init; } = [];
}

/// <summary><c>[dns]</c>.</summary>
internal static class DnsBinding
{
    /// <summary>Leaves room for the labels of a backend and its pool, of 63 characters each, in a name of 253 (RFC 1035, 2.3.4).</summary>
    private const int LongestZone = 120;

    private const int LongestLabel = 63;
    private const string ListenForm = "an IP address with a port, like \"0.0.0.0:53\", or an array of such";
    private const string ZoneForm = "a domain name, like \"lb.example.com\"";
    private const string AddressForm = "an array of IP addresses, like [\"192.0.2.10\", \"2001:db8::10\"]";

    private static readonly DnsSettings Defaults = new();

    public static DnsSettings Bind(TableBinder table, BoundAddresses bound) => new()
    {
        Listen = Listens(table, bound),
        Zone = table.TryRequire("zone", ZoneForm, out Setting zone) && TryZone(zone, out string name) ? name : Defaults.Zone,
        RatePerSource = table.Integer("rate_per_source", Defaults.RatePerSource, 0, 1_000_000),
        Ttl = table.WholeSeconds("ttl", Defaults.Ttl, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
        Address = Addresses(table),
    };

    private static ImmutableArray<Endpoint> Listens(TableBinder table, BoundAddresses bound)
    {
        if (!table.TryRequire("listen", ListenForm, out Setting setting))
        {
            return [];
        }

        ImmutableArray<Setting> items = [setting];
        if (setting.Node is not TomlString && !setting.TryItems(ListenForm, out items))
        {
            return [];
        }

        if (items.IsEmpty)
        {
            setting.Reject($"is empty; needed: {ListenForm}");
        }

        ImmutableArray<Endpoint>.Builder listens = ImmutableArray.CreateBuilder<Endpoint>(items.Length);
        foreach (Setting item in items)
        {
            if (item.TryEndpoint(0, out Endpoint endpoint))
            {
                listens.Add(endpoint);
                bound.Add(endpoint, item);
            }
        }

        return listens.ToImmutable();
    }

    // RFC 1123, 2.1, and underscores, which names within a network have.
    private static bool TryZone(Setting setting, out string name)
    {
        name = "";
        if (!setting.TryText(ZoneForm, out string text))
        {
            return false;
        }

        string zone = text.EndsWith('.') ? text[..^1] : text;
        bool isName = zone.Length is > 0 and <= LongestZone && !HostAddress.TryParse(zone, out _)
            && zone.Split('.').All(static label => label.Length is > 0 and <= LongestLabel && label[0] != '-' && label[^1] != '-'
                && label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
        name = zone.ToLowerInvariant();
        return isName || setting.Reject(
            $"{Quoted.Text(text)} is not {ZoneForm}; allowed: labels of letters, digits and hyphens with dots between them, "
            + $"together at most {LongestZone} characters");
    }

    private static ImmutableArray<HostAddress> Addresses(TableBinder table)
    {
        if (!table.TryGet("address", out Setting setting) || !setting.TryItems(AddressForm, out ImmutableArray<Setting> items))
        {
            return Defaults.Address;
        }

        Claims<HostAddress> addresses = new("the addresses of this balancer");
        ImmutableArray<HostAddress>.Builder all = ImmutableArray.CreateBuilder<HostAddress>(items.Length);
        foreach (Setting item in items)
        {
            if (item.TryAddress(out HostAddress address) && IsReachable(item, address) && addresses.TryClaim(address, item))
            {
                all.Add(address);
            }
        }

        return all.ToImmutable();
    }

    private static bool IsReachable(Setting item, HostAddress address) =>
        !address.IsAny || item.Reject($"\"{address}\" is the wildcard address and cannot be connected to; allowed: {AddressForm}");
}
