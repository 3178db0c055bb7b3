using L4Balancer.Core.Addressing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace L4Balancer.Admin.Access;

/// <summary>
/// The access rules. Clients of the local socket have full access. Over TCP changes require the token, also from loopback, and so
/// does reading from other addresses. Requests that a browser sends on behalf of another site are refused, even with the token.
/// </summary>
internal static class AccessRules
{
    private const string Scheme = "Bearer ";
    private const string Realm = "Bearer realm=\"l4balancer\"";

    /// <returns>Null if the request is allowed.</returns>
    public static Refusal? Check(HttpRequest request, Requester requester, AccessToken token)
    {
        if (requester.IsLocal)
        {
            return null;
        }

        return Foreign(request) ?? Unauthorised(request, requester, token);
    }

    // A page of another origin can reach loopback by its address, or by a name that the attacker resolves to it (DNS rebinding).
    private static Refusal? Foreign(HttpRequest request)
    {
        if (!IsOurs(request.Host.Host))
        {
            return new Refusal(StatusCodes.Status403Forbidden, "this Host is not accepted: use an IP address, or localhost");
        }

        StringValues site = request.Headers["Sec-Fetch-Site"];
        bool crossSite = site.Count > 0 && site is not ["same-origin"] and not ["none"];
        StringValues origin = request.Headers.Origin;
        bool otherOrigin = origin.Count > 0 && !(origin is [string one] && one == $"http://{request.Host.Value}");
        return crossSite || otherOrigin
            ? new Refusal(StatusCodes.Status403Forbidden, "requests from pages of other sites are refused: open this address directly in the browser")
            : null;
    }

    // An IP address cannot be rebound. A request without Host does not come from a browser (HTTP/1.0 checks of load balancers).
    private static bool IsOurs(string host) =>
        host.Length == 0 || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || HostAddress.TryParse(host is ['[', .., ']'] ? host[1..^1] : host, out _);

    private static Refusal? Unauthorised(HttpRequest request, Requester requester, AccessToken token)
    {
        // The page itself contains no data: its script requests everything it shows, under the same access rules.
        bool reads = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        if (reads && (requester.IsLoopback || request.Path == "/" || request.Path == "/healthz" || request.Path == "/readyz"))
        {
            return null;
        }

        if (!token.Exists)
        {
            return new Refusal(
                StatusCodes.Status403Forbidden,
                (reads ? "reading from another host" : "a change over TCP")
                + " needs a token and none is configured: use the local socket, or set [admin] token_file");
        }

        StringValues authorization = request.Headers.Authorization;
        if (authorization is not [string credentials] || !credentials.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return new Refusal(
                StatusCodes.Status401Unauthorized, "send the token of [admin] token_file: Authorization: Bearer TOKEN", Realm);
        }

        return token.Matches(credentials[Scheme.Length..].Trim())
            ? null
            : new Refusal(
                StatusCodes.Status401Unauthorized, "this is not the token of [admin] token_file", $"{Realm}, error=\"invalid_token\"");
    }
}
