using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Admin.Client;

/// <summary>The address of a daemon's admin API: the path of a local socket, or a host and port.</summary>
/// <param name="Text">The address as shown in errors.</param>
/// <param name="Base">The base URI of requests.</param>
internal sealed record AdminAddress(string Text, EndPoint EndPoint, Uri Base)
{
    private const string Http = "http://";
    private const string SocketSuffix = ".sock";

    public bool IsLocal => EndPoint is UnixDomainSocketEndPoint;

    public static AdminAddress OfSocket(string path) => new(path, new UnixDomainSocketEndPoint(path), new Uri("http://localhost/"));

    /// <summary>Accepts <c>/path</c>, <c>NAME.sock</c>, <c>HOST:PORT</c> or <c>http://HOST:PORT</c>; returns null for anything else.</summary>
    public static AdminAddress? TryParse(string text)
    {
        bool isPath = text.Contains('/', StringComparison.Ordinal) || text.EndsWith(SocketSuffix, StringComparison.Ordinal);
        if (isPath && !text.StartsWith(Http, StringComparison.Ordinal))
        {
            try
            {
                return OfSocket(text);
            }
            catch (ArgumentException)
            {
                // The path is longer than sun_path (unix(7)).
                return null;
            }
        }

        string authority = text.StartsWith(Http, StringComparison.Ordinal) ? text[Http.Length..].TrimEnd('/') : text;
        int colon = authority.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(authority.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)
            || !Uri.TryCreate($"{Http}{authority}/", UriKind.Absolute, out Uri? uri) || uri.PathAndQuery != "/" || uri.UserInfo.Length > 0)
        {
            return null;
        }

        EndPoint endpoint = IPAddress.TryParse(uri.DnsSafeHost, out IPAddress? address)
            ? new IPEndPoint(address, port) : new DnsEndPoint(uri.DnsSafeHost, port);
        return new AdminAddress(authority, endpoint, uri);
    }
}
