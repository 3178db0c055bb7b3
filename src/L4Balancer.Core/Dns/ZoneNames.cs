using System.Text;

namespace L4Balancer.Core.Dns;

/// <summary>Names in the form of the wire (RFC 1035, 3.1) and the fixed parts of the zone.</summary>
internal static class ZoneNames
{
    public const string NameServer = "ns";

    // For secondary servers, of which there are none (RFC 1912, 2.2 has such values).
    public const uint Refresh = 3600;
    public const uint Retry = 600;
    public const uint Expire = 86_400;

    private const int LongestLabel = 63;

    /// <summary>The label of the zone's name server.</summary>
    public static ReadOnlySpan<byte> NameServerLabel => "\u0002ns"u8;

    /// <summary>The mailbox in the SOA record: hostmaster at the zone (RFC 2142, 7).</summary>
    public static ReadOnlySpan<byte> MailboxLabel => "\u000Ahostmaster"u8;

    /// <summary>A host name as it is on the wire, in lower case.</summary>
    /// <returns>Null if a label is empty or too long, or the name is.</returns>
    public static byte[]? OnWire(string host)
    {
        string name = host.EndsWith('.') ? host[..^1] : host;
        var wire = new byte[name.Length + 2];
        int at = 0;
        foreach (string label in name.Split('.'))
        {
            if (label.Length is 0 or > LongestLabel || !Ascii.IsValid(label))
            {
                return null;
            }

            wire[at++] = (byte)label.Length;
            at += Encoding.ASCII.GetBytes(label.ToLowerInvariant(), wire.AsSpan(at));
        }

        return wire.Length <= DnsQuery.LongestName ? wire : null;
    }

    /// <summary>
    /// The label that stands for a pool or a backend: its name in lower case, because DNS does not tell the cases apart, where each
    /// character other than a letter, a digit and a hyphen is a hyphen, without hyphens at both ends (RFC 1123, 2.1).
    /// </summary>
    /// <returns>Null if nothing is left, or more than 63 characters are.</returns>
    public static string? LabelOf(string name)
    {
        string label = string.Create(name.Length, name, static (text, from) =>
        {
            for (int i = 0; i < text.Length; i++)
            {
                text[i] = char.IsAsciiLetterOrDigit(from[i]) ? char.ToLowerInvariant(from[i]) : '-';
            }
        }).Trim('-');
        return label.Length is 0 or > LongestLabel ? null : label;
    }

    /// <summary>Where the zone begins in a name.</summary>
    /// <param name="name">On the wire, in lower case.</param>
    /// <returns>-1 if the name is not in the zone.</returns>
    public static int Find(ReadOnlySpan<byte> name, ReadOnlySpan<byte> zone)
    {
        // Label by label: the bytes of the zone could also be the end of one long label.
        int at = 0;
        while (name.Length - at > zone.Length)
        {
            at += 1 + name[at];
        }

        return name[at..].SequenceEqual(zone) ? at : -1;
    }
}
