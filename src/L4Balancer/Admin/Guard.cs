using L4Balancer.Admin.Access;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Admin;

/// <summary>
/// Middleware around every route: sets common headers, checks access, accepts only one spelling per path, and reports errors as
/// problem details.
/// </summary>
/// <param name="token">Returns the active token.</param>
internal sealed class Guard(Func<AccessToken> token, ILogger log)
{
    /// <summary>Maximum size of a request body in bytes.</summary>
    public const int LargestBody = 64 * 1024;

    /// <summary>Runs around all other middleware, including routing.</summary>
    public async Task AroundAsync(HttpContext http, RequestDelegate next)
    {
        IHeaderDictionary headers = http.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        try
        {
            await next(http);
            if (!http.Response.HasStarted && http.Response.StatusCode >= 400 && http.Response.ContentType is null)
            {
                await Reply.ProblemAsync(http, http.Response.StatusCode, Detail(http));
            }
        }
        catch (Exception e) when (http.RequestAborted.IsCancellationRequested || e is OperationCanceledException)
        {
            http.Abort();
        }
        catch (Exception e) when (http.Response.HasStarted)
        {
            // The connection is aborted so that a partial answer is not mistaken for a complete one.
            log.AnswerFailed(http.Request.Method, http.Request.Path, e);
            http.Abort();
        }
        catch (BadHttpRequestException e)
        {
            await Reply.ProblemAsync(http, e.StatusCode, e.StatusCode == StatusCodes.Status413PayloadTooLarge ? TooLarge() : e.Message);
        }
        catch (ObjectDisposedException)
        {
            await Reply.ProblemAsync(http, StatusCodes.Status503ServiceUnavailable, "the daemon is shutting down and accepts no changes");
        }
        catch (Exception e)
        {
            log.AnswerFailed(http.Request.Method, http.Request.Path, e);
            await Reply.ProblemAsync(http, StatusCodes.Status500InternalServerError, "internal error of the daemon: see its log");
        }
    }

    /// <summary>Runs between routing and the route.</summary>
    public Task BeforeAsync(HttpContext http, RequestDelegate next)
    {
        if (AccessRules.Check(http.Request, Requester.Of(http), token()) is Refusal refusal)
        {
            http.Response.Headers.WWWAuthenticate = refusal.Challenge;
            return Reply.ProblemAsync(http, refusal.Status, refusal.Detail);
        }

        if (!IsPlain(http))
        {
            http.SetEndpoint(null);
            return Reply.ProblemAsync(http, StatusCodes.Status404NotFound, "no such path: use the plain spelling of docs/admin.md, without escapes");
        }

        if (http.Request.ContentLength > LargestBody)
        {
            // The body will not be read.
            http.Response.Headers.Connection = "close";
            return Reply.ProblemAsync(http, StatusCodes.Status413PayloadTooLarge, TooLarge());
        }

        return next(http);
    }

    // Names contain no characters that need escaping, so a path has one spelling, and access is decided on exactly what was sent.
    private static bool IsPlain(HttpContext http)
    {
        string target = http.Features.Get<IHttpRequestFeature>()!.RawTarget;
        int query = target.IndexOf('?', StringComparison.Ordinal);
        string path = query < 0 ? target : target[..query];
        if (path != http.Request.Path.Value)
        {
            return false;
        }

        if (http.GetEndpoint() is not RouteEndpoint route)
        {
            return true;
        }

        string[] segments = path == "/" ? [] : path.Split('/')[1..];
        IReadOnlyList<RoutePatternPathSegment> pattern = route.RoutePattern.PathSegments;
        return segments.Length == pattern.Count && segments.Zip(pattern).All(static pair =>
            pair.Second.Parts is not [RoutePatternLiteralPart literal] || literal.Content == pair.First);
    }

    private static string Detail(HttpContext http) => http.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => NotBuiltYet.Of(http.Request.Path) ?? "no such path: docs/admin.md lists all",
        StatusCodes.Status405MethodNotAllowed => $"this path allows {http.Response.Headers.Allow}",
        _ => "this request cannot be processed",
    };

    private static string TooLarge() => $"the body is larger than {LargestBody / 1024} KiB, the maximum";
}
