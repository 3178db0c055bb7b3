using System.Collections.Immutable;
using L4Balancer.Web;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin.Access;

/// <summary>
/// The access rules. Clients of the local socket have full access. Over TCP changes require the token, also from loopback, and so
/// does reading from other addresses. Requests that a browser sends on behalf of another site are refused, even with the token.
/// </summary>
internal static class AccessRules
{
    private const string Scheme = "Bearer ";
    private const string Realm = "Bearer realm=\"l4balancer\"";

    /// <param name="hosts">The names of <c>[admin] hosts</c>.</param>
    /// <returns>Null if the request is allowed.</returns>
    public static Refusal? Check(HttpRequest request, Requester requester, AccessToken token, ImmutableArray<string> hosts)
    {
        if (requester.IsLocal)
        {
            return null;
        }

        return OwnSite.WhyNot(request, hosts) is string foreign
            ? new Refusal(StatusCodes.Status403Forbidden, foreign)
            : NeedsToken(request, requester) ? Unauthorised(request, token) : null;
    }

    /// <summary>Whether the request is allowed only with the token.</summary>
    public static bool NeedsToken(HttpRequest request, Requester requester)
    {
        // The page itself contains no data: its script requests everything it shows, under the same access rules.
        bool isFree = IsReading(request) && (requester.IsLoopback || request.Path == "/" || IsHealth(request));
        return !requester.IsLocal && !isFree;
    }

    /// <summary>Whether it asks for one of the health paths, which never need the token.</summary>
    public static bool IsHealth(HttpRequest request) => IsReading(request) && (request.Path == "/healthz" || request.Path == "/readyz");

    /// <summary>Whether the request carries the token, needed or not.</summary>
    public static bool HasToken(HttpRequest request, AccessToken token) => OfferedToken(request) is string offered && token.Matches(offered);

    private static Refusal? Unauthorised(HttpRequest request, AccessToken token)
    {
        if (!token.Exists)
        {
            string what = IsReading(request) ? "reading from another host" : "a change over TCP";
            return new Refusal(
                StatusCodes.Status403Forbidden,
                token.Fault is string fault
                    ? $"{what} needs a token, and [admin] token_file is configured but {fault}: use the local socket, or see the log"
                    : $"{what} needs a token and none is configured: use the local socket, or set [admin] token_file");
        }

        if (OfferedToken(request) is not string offered)
        {
            return new Refusal(
                StatusCodes.Status401Unauthorized, "send the token of [admin] token_file: Authorization: Bearer TOKEN", Realm);
        }

        return token.Matches(offered)
            ? null
            : new Refusal(
                StatusCodes.Status401Unauthorized, "this is not the token of [admin] token_file", $"{Realm}, error=\"invalid_token\"")
            {
                IsWrongToken = true,
            };
    }

    private static string? OfferedToken(HttpRequest request) =>
        request.Headers.Authorization is [string credentials] && credentials.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? credentials[Scheme.Length..].Trim() : null;

    private static bool IsReading(HttpRequest request) => HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
}
