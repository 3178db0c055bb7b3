using System.Collections.Immutable;
using L4Balancer.Core.Config;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using StatusCodes = Microsoft.AspNetCore.Http.StatusCodes;

namespace L4Balancer.Direct;

/// <summary>
/// Which pages may ask for an endpoint (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). The API has no cookies, so an allowed page may
/// also send its own: SignalR's client in a browser does so unless it is told otherwise.
/// </summary>
internal static class CrossOrigin
{
    private const string Methods = "GET, HEAD, POST";
    private const string RequestHeaders = "Authorization, Content-Type, X-Requested-With, X-SignalR-User-Agent";

    /// <summary>How long a browser may keep the answer to a preflight.</summary>
    private const string MaxAge = "600";

    /// <summary>Sets the headers for the page that asks, if it is one.</summary>
    /// <returns>Whether it may ask; true also for a request that no page of another origin has sent.</returns>
    public static bool Admit(HttpContext http, ImmutableArray<string> allowed)
    {
        // Caches must not give one origin the answer for another.
        http.Response.Headers.Vary = "Origin";
        StringValues origin = http.Request.Headers.Origin;
        if (origin.Count == 0)
        {
            return true;
        }

        if (origin is not [string one] || !Includes(allowed, one))
        {
            return false;
        }

        http.Response.Headers.AccessControlAllowOrigin = one;
        http.Response.Headers.AccessControlAllowCredentials = "true";
        http.Response.Headers.AccessControlExposeHeaders = "Retry-After";
        return true;
    }

    /// <summary>Answers a preflight of an admitted page.</summary>
    public static void AnswerPreflight(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status204NoContent;
        http.Response.Headers.AccessControlAllowMethods = Methods;
        http.Response.Headers.AccessControlAllowHeaders = RequestHeaders;
        http.Response.Headers.AccessControlMaxAge = MaxAge;
    }

    private static bool Includes(ImmutableArray<string> allowed, string origin) =>
        allowed.Contains(EndpointSettings.AnyOrigin) || allowed.Contains(origin, StringComparer.OrdinalIgnoreCase);
}
