using L4Balancer.Admin.Access;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Admin;

/// <summary>
/// Stands around every route: headers that each answer carries, access, one spelling per path, and that whatever goes wrong is told as
/// a problem.
/// </summary>
/// <param name="token">The one in force.</param>
internal sealed class Guard(Func<AccessToken> token, ILogger log)
{
    /// <summary>What a body may have.</summary>
    public const int LargestBody = 64 * 1024;

    /// <summary>Around everything, the routing too.</summary>
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
            // Half an answer must not look like a whole one.
            log.AnswerFailed(http.Request.Method, http.Request.Path, e);
            http.Abort();
        }
        catch (BadHttpRequestException e)
        {
            await Reply.ProblemAsync(http, e.StatusCode, e.StatusCode == StatusCodes.Status413PayloadTooLarge ? TooLarge() : e.Message);
        }
        catch (ObjectDisposedException)
        {
            await Reply.ProblemAsync(http, StatusCodes.Status503ServiceUnavailable, "the daemon is at its end: nothing is changed any more");
        }
        catch (Exception e)
        {
            log.AnswerFailed(http.Request.Method, http.Request.Path, e);
            await Reply.ProblemAsync(http, StatusCodes.Status500InternalServerError, "a fault of the daemon: its log says more");
        }
    }

    /// <summary>Between the routing and the route.</summary>
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
            return Reply.ProblemAsync(http, StatusCodes.Status404NotFound, "no such path: write it plainly, as docs/admin.md has it");
        }

        if (http.Request.ContentLength > LargestBody)
        {
            // What is on its way will not be read.
            http.Response.Headers.Connection = "close";
            return Reply.ProblemAsync(http, StatusCodes.Status413PayloadTooLarge, TooLarge());
        }

        return next(http);
    }

    // Names take no character that must be escaped, so a path has one spelling: the one that was sent is the one that is decided about.
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
        StatusCodes.Status405MethodNotAllowed => $"this path takes {http.Response.Headers.Allow}",
        _ => "this request cannot be answered",
    };

    private static string TooLarge() => $"the body is larger than {LargestBody / 1024} KiB: no request here needs that";
}
