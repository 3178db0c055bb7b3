using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace L4Balancer.Web;

/// <summary>
/// Which requests may come from a browser: a page of another origin can reach loopback or the network behind it by an address, or by a
/// name that the attacker resolves to it (DNS rebinding). Requests of other clients have an address, or a name of <c>[admin] hosts</c>.
/// </summary>
internal static class OwnSite
{
    /// <param name="hosts">The names of <c>[admin] hosts</c>.</param>
    /// <returns>Why the request is refused, with the remedy; null if it is not.</returns>
    public static string? WhyNot(HttpRequest request, ImmutableArray<string> hosts)
    {
        string host = request.Host.Host;
        bool isConfigured = hosts.Contains(host, StringComparer.OrdinalIgnoreCase);
        if (!isConfigured && !CannotBeRebound(host))
        {
            return "this Host is not accepted: use an IP address or localhost, or add the name to [admin] hosts";
        }

        StringValues site = request.Headers["Sec-Fetch-Site"];
        bool crossSite = site.Count > 0 && site is not ["same-origin"] and not ["none"];
        StringValues origin = request.Headers.Origin;
        return crossSite || (origin.Count > 0 && !IsSame(origin, request.Host, isConfigured))
            ? "requests from pages of other sites are refused: open this address directly in the browser"
            : null;
    }

    // A request without Host does not come from a browser (HTTP/1.0 checks of load balancers).
    private static bool CannotBeRebound(string host) =>
        host.Length == 0 || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || HostAddress.TryParse(host is ['[', .., ']'] ? host[1..^1] : host, out _);

    // Before a name of the configuration a proxy may stand that speaks TLS with the browser and passes Host on.
    private static bool IsSame(StringValues origin, HostString host, bool isConfigured) =>
        origin is [string one] && (one == $"http://{host.Value}" || (isConfigured && one == $"https://{host.Value}"));
}
