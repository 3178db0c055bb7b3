using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace L4Balancer.Core.Addressing;

/// <summary>An address and a TCP port as one value: <c>10.0.0.1:443</c> or <c>[2001:db8::1]:443</c>.</summary>
public readonly record struct Endpoint(HostAddress Address, ushort Port)
{
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

    public IPEndPoint ToIPEndPoint() => new(Address.ToIPAddress(), Port);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(Address.IsV4 ? "" : "[")}{Address}{(Address.IsV4 ? "" : "]")}:{Port}");

    // The ring places a backend by the text of its address: ":0443" and ":443" would put one backend at two places.
    private static bool TryParsePort(ReadOnlySpan<char> text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && (text.Length == 1 || text[0] != '0');
}
