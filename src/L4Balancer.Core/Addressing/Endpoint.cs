using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// An address and a TCP port as one value: <c>10.0.0.1:443</c> or <c>[2001:db8::1]:443</c>; or a UNIX socket, <c>unix:/run/chat.sock</c>, whose
/// address and port are zero.
/// </summary>
public readonly record struct Endpoint(HostAddress Address, ushort Port)
{
    /// <summary>Length in bytes of the longest text.</summary>
    public const int LongestText = AddressText.LongestEndpoint;

    private const string UnixPrefix = "unix:";

    /// <summary>Whether this is a UNIX socket (unix(7)), and not an IP address with a port.</summary>
    public bool IsUnix => UnixNumber != 0;

    /// <summary>The path of a UNIX socket; empty for a client of one, and for an IP address.</summary>
    public string UnixPath => UnixPaths.PathOf(UnixNumber);

    /// <summary>0 for an IP address.</summary>
    private int UnixNumber { get; init; }

    /// <summary>A UNIX socket with a path that <see cref="TryParseUnix"/> accepts after its prefix.</summary>
    public static Endpoint OfUnix(string path) => new(default, 0) { UnixNumber = UnixPaths.NumberOf(path) };

    /// <summary>
    /// A client of a UNIX socket, which has no address of its own: a number takes the place of its source port in hashes and logs, where it is
    /// written <c>unix:17</c>.
    /// </summary>
    public static Endpoint OfUnixClient(ushort number) => new(default, number) { UnixNumber = UnixPaths.Unnamed };

    /// <summary>Whether the text is meant to be a UNIX socket, right or wrong.</summary>
    public static bool IsUnixText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.StartsWith(UnixPrefix, StringComparison.Ordinal);
    }

    /// <summary>
    /// <c>unix:</c> and an absolute path of at most 107 visible ASCII characters without <c>"</c> and <c>\</c>. Call it only for a configuration:
    /// each new path is kept until the process ends.
    /// </summary>
    public static bool TryParseUnix([NotNullWhen(true)] string? text, out Endpoint endpoint)
    {
        bool fits = text is not null && IsUnixText(text) && UnixPaths.IsPath(text[UnixPrefix.Length..]);
        endpoint = fits ? OfUnix(text![UnixPrefix.Length..]) : default;
        return fits;
    }

    /// <summary>A client of a UNIX socket as it is written in logs: <c>unix:17</c>.</summary>
    public static bool TryParseUnixClient([NotNullWhen(true)] string? text, out Endpoint endpoint)
    {
        endpoint = default;
        if (text is null || !IsUnixText(text) || !TryParsePort(text.AsSpan(UnixPrefix.Length), out ushort number))
        {
            return false;
        }

        endpoint = OfUnixClient(number);
        return true;
    }

    public static Endpoint From(IPEndPoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return new Endpoint(HostAddress.From(endpoint.Address), (ushort)endpoint.Port);
    }

    /// <summary>
    /// IPv4 as <c>a.b.c.d:port</c>, IPv6 as <c>[address]:port</c>; the port is required and decimal, 0 to 65535, without leading zeros.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Endpoint endpoint)
    {
        endpoint = default;
        int colon = text?.LastIndexOf(':') ?? -1;
        if (text is null || colon <= 0 || !TryParsePort(text.AsSpan(colon + 1), out ushort port))
        {
            return false;
        }

        string host = text[..colon];
        bool bracketed = host.Length > 2 && host[0] == '[' && host[^1] == ']';
        if (bracketed)
        {
            host = host[1..^1];
        }

        if (bracketed != host.Contains(':', StringComparison.Ordinal) || !HostAddress.TryParse(host, out HostAddress address))
        {
            return false;
        }

        endpoint = new Endpoint(address, port);
        return true;
    }

    /// <summary>Only for an IP address.</summary>
    public IPEndPoint ToIPEndPoint() => new(Address.ToIPAddress(), Port);

    public override string ToString() =>
        UnixNumber > UnixPaths.Unnamed ? UnixPrefix + UnixPath
        : IsUnix ? string.Create(CultureInfo.InvariantCulture, $"{UnixPrefix}{Port}")
        : string.Create(CultureInfo.InvariantCulture, $"{(Address.IsV4 ? "" : "[")}{Address}{(Address.IsV4 ? "" : "]")}:{Port}");

    /// <summary>Writes the text of <see cref="ToString"/> as UTF-8, without an allocation.</summary>
    /// <param name="utf8">At least <see cref="LongestText"/> bytes.</param>
    /// <returns>How many bytes were written.</returns>
    public int Format(Span<byte> utf8) => AddressText.Write(this, utf8);

    // The ring places a backend by the text of its address: ":0443" and ":443" would put one backend at two places.
    private static bool TryParsePort(ReadOnlySpan<char> text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && (text.Length == 1 || text[0] != '0');
}
