using L4Balancer.Core.Addressing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace L4Balancer.Admin.Access;

/// <summary>
/// Who may do what. Whoever may open the local socket may do everything. By TCP a change takes the token, from loopback too, and so
/// does reading from elsewhere. What a browser sends on behalf of another site is refused whatever it carries.
/// </summary>
internal static class AccessRules
{
    private const string Scheme = "Bearer ";
    private const string Realm = "Bearer realm=\"l4balancer\"";

    /// <returns>Null where the request may be answered.</returns>
    public static Refusal? Check(HttpRequest request, Requester requester, AccessToken token)
    {
        if (requester.IsLocal)
        {
            return null;
        }

        return Foreign(request) ?? Unauthorised(request, requester, token);
    }

    // A page of another origin can reach loopback, by its address or by a name that it makes resolve to it (DNS rebinding).
    private static Refusal? Foreign(HttpRequest request)
    {
        if (!IsOurs(request.Host.Host))
        {
            return new Refusal(StatusCodes.Status403Forbidden, "this Host is not ours: use an IP address, or localhost");
        }

        StringValues site = request.Headers["Sec-Fetch-Site"];
        bool crossSite = site.Count > 0 && site is not ["same-origin"] and not ["none"];
        StringValues origin = request.Headers.Origin;
        bool otherOrigin = origin.Count > 0 && !(origin is [string one] && one == $"http://{request.Host.Value}");
        return crossSite || otherOrigin
            ? new Refusal(StatusCodes.Status403Forbidden, "a page of another site must not ask: open this address in the browser itself")
            : null;
    }

    // An address cannot be rebound. Without any Host there is no browser (HTTP/1.0 checks of load balancers).
    private static bool IsOurs(string host) =>
        host.Length == 0 || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || HostAddress.TryParse(host is ['[', .., ']'] ? host[1..^1] : host, out _);

    private static Refusal? Unauthorised(HttpRequest request, Requester requester, AccessToken token)
    {
        // The page itself says nothing: it asks for everything that it shows, and for that it needs what everybody needs.
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
