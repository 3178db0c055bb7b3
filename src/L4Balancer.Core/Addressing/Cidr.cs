using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// A range of addresses: <c>203.0.113.0/24</c>, <c>2001:db8::/32</c>, or a single address (RFC 4632, RFC 4291 2.3); or <c>unix</c>, the clients of
/// UNIX sockets.
/// </summary>
public readonly record struct Cidr
{
    /// <summary>Length in bits of the v4-mapped prefix (<c>::ffff:0:0/96</c>) under which IPv4 addresses are stored.</summary>
    internal const int MappedLength = 96;

    private const string UnixText = "unix";

    /// <summary>In place of a length, so that <c>::/128</c> as a text is another range than <c>unix</c>.</summary>
    private const int UnixBits = 129;

    /// <summary>
    /// The clients of UNIX sockets. Their address is zero, the unspecified address, which no client of TCP can have (RFC 4291, 2.5.2).
    /// </summary>
    public static Cidr Unix => new(default, UnixBits);

    private Cidr(HostAddress network, int bits) => (Network, MappedBits) = (network, bits);

    /// <summary>The address as written; bits after the prefix may be set.</summary>
    internal HostAddress Network { get; }

    /// <summary>Length of the prefix in bits, counted in the 16 bytes of an address; of no meaning for <see cref="Unix"/>.</summary>
    internal int MappedBits { get; }

    /// <summary>
    /// Bits after the prefix are ignored: <c>10.0.0.7/8</c> equals 10.0.0.0/8. <c>::/0</c> contains neither IPv4 addresses nor clients of UNIX
    /// sockets, which <c>unix</c> stands for.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Cidr range)
    {
        range = Unix;
        if (text == UnixText)
        {
            return true;
        }

        range = default;
        int slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (!HostAddress.TryParse(slash < 0 ? text : text![..slash], out HostAddress address))
        {
            return false;
        }

        int longest = address.IsV4 ? 32 : 128;
        int bits = longest;
        if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out bits) || bits > longest))
        {
            return false;
        }

        range = new Cidr(address, address.IsV4 ? MappedLength + bits : bits);
        return true;
    }

    /// <summary>
    /// The range that a v4-mapped text means, <c>::ffff:10.0.0.0/104</c> being 10.0.0.0/8; null if it is none. Such a text is no range,
    /// because with a length of 24, say, it could mean either form.
    /// </summary>
    public static Cidr? OfMapped(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        bool isMapped = slash > 0 && text.Contains(':', StringComparison.Ordinal)
            && HostAddress.TryParse(text[..slash], out HostAddress address) && address.IsV4;
        return isMapped && int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int bits)
            && bits is >= MappedLength and <= 128 && HostAddress.TryParse(text[..slash], out address) ? new Cidr(address.Masked(bits), bits) : null;
    }

    public bool Contains(HostAddress address) => address == default || this == Unix
        ? address == default && this == Unix
        : address.IsV4 == Network.IsV4 && address.SharesPrefix(Network, MappedBits);

    public override string ToString() => this == Unix ? UnixText
        : string.Create(CultureInfo.InvariantCulture, $"{Network}/{(Network.IsV4 ? MappedBits - MappedLength : MappedBits)}");
}
