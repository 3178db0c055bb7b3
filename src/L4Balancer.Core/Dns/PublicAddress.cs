using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Dns;

/// <summary>Where a <c>public_url</c> points to.</summary>
/// <param name="Scheme">In lower case: <c>wss</c>.</param>
/// <param name="Host">A host name; empty if the URL has an address.</param>
/// <param name="Address">Null if the URL has a host name.</param>
internal readonly record struct PublicAddress(string Scheme, string Host, HostAddress? Address, ushort Port)
{
    /// <summary>The default port is that of the scheme: 80 for ws and http, 443 for wss and https (RFC 6455, 3).</summary>
    /// <returns>False for a text that is no URL of ws, wss, http or https with a host.</returns>
    public static bool TryParse(string url, out PublicAddress address)
    {
        address = default;
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("ws" or "wss" or "http" or "https")
            || uri.Port is < 1 or > ushort.MaxValue)
        {
            return false;
        }

        if (uri.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6)
        {
            bool isAddress = HostAddress.TryParse(uri.Host.Trim('[', ']'), out HostAddress literal);
            address = new PublicAddress(uri.Scheme, "", literal, (ushort)uri.Port);
            return isAddress;
        }

        address = new PublicAddress(uri.Scheme, uri.IdnHost, null, (ushort)uri.Port);
        return uri.HostNameType == UriHostNameType.Dns && ZoneNames.OnWire(uri.IdnHost) is not null;
    }
}
