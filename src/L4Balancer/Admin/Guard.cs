using System.Collections.Immutable;
using L4Balancer.Admin.Access;
using L4Balancer.Web;
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
/// <param name="hosts">Returns the names of <c>[admin] hosts</c>.</param>
internal sealed class Guard(
    Func<AccessToken> token, Func<ImmutableArray<string>> hosts, TokenGuesses guesses, AnswerSlots large, ILogger log)
{
    /// <summary>Maximum size of a request body in bytes.</summary>
    public const int LargestBody = 64 * 1024;

    /// <summary>
    /// A larger body is read and discarded by Kestrel up to this size, within its five seconds, so that the client gets to read the refusal:
    /// closing a socket with unread bytes resets the connection (RFC 9112, 9.6).
    /// </summary>
    public const int LargestDiscarded = 1024 * 1024;

    /// <summary>The metadata of routes whose answer grows with the configuration or the number of connections.</summary>
    public static readonly object LargeAnswer = new();

    /// <summary>The metadata of routes that limit their answers to those without the token by themselves.</summary>
    public static readonly object LimitsItself = new();

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
    public async Task BeforeAsync(HttpContext http, RequestDelegate next)
    {
        Requester requester = Requester.Of(http);
        ConnectionPlace? place = ConnectionPlace.Of(http);
        if (await RefusalAsync(http, requester, place) is Refusal refusal)
        {
            http.Response.Headers.WWWAuthenticate = refusal.Challenge;
            await Reply.ProblemAsync(http, refusal.Status, refusal.Detail);
        }
        else if (!IsPlain(http))
        {
            http.SetEndpoint(null);
            await Reply.ProblemAsync(
                http, StatusCodes.Status404NotFound, "no such path: use the plain spelling of docs/admin.md, without escapes");
        }
        else if (http.Request.ContentLength > LargestBody)
        {
            if (http.Request.ContentLength > LargestDiscarded)
            {
                http.Response.Headers.Connection = "close";
            }

            await Reply.ProblemAsync(http, StatusCodes.Status413PayloadTooLarge, TooLarge());
        }
        else
        {
            await AnswerAsync(http, place, next);
        }
    }

    private async Task<Refusal?> RefusalAsync(HttpContext http, Requester requester, ConnectionPlace? place)
    {
        bool isOffered = http.Request.Headers.Authorization.Count > 0;
        if (isOffered && place is { IsTrusted: false } && !AccessRules.IsHealth(http.Request))
        {
            await guesses.WaitAsync(place.Source, http.RequestAborted);
        }

        Refusal? refusal = AccessRules.Check(http.Request, requester, token(), hosts());
        if (refusal is { IsWrongToken: true })
        {
            place?.Distrust();
            guesses.Failed(place?.Source, requester.Name);
        }
        else if (refusal is null && isOffered && AccessRules.NeedsToken(http.Request, requester))
        {
            place?.Trust();
        }

        return refusal;
    }

    private async Task AnswerAsync(HttpContext http, ConnectionPlace? place, RequestDelegate next)
    {
        if (place is null)
        {
            await next(http);
            return;
        }

        if (!place.TryBegin(AccessRules.IsHealth(http.Request)) && !(TrustByToken(http, place) && place.TryBegin(false)))
        {
            await CrowdedAsync(http, "too many requests are being answered");
            return;
        }

        try
        {
            EndpointMetadataCollection? metadata = http.GetEndpoint()?.Metadata;
            bool isLarge = metadata?.Contains(LargeAnswer) == true;
            bool trusted = (isLarge || metadata?.Contains(LimitsItself) == true) && TrustByToken(http, place);
            if (!isLarge)
            {
                await next(http);
                return;
            }

            using IDisposable? slot = await large.EnterAsync(trusted ? null : place.Source, http.RequestAborted);
            await (slot is null ? CrowdedAsync(http, "too many large answers are being written") : next(http));
        }
        finally
        {
            place.End();
        }
    }

    // On loopback reading needs no token; one that is sent nevertheless decides where there is a limit for those without.
    private bool TrustByToken(HttpContext http, ConnectionPlace place)
    {
        if (place.Source is null || http.Request.Headers.Authorization.Count == 0)
        {
            return place.IsTrusted;
        }

        if (AccessRules.HasToken(http.Request, token()))
        {
            place.Trust();
            return true;
        }

        place.Distrust();
        if (token().Exists)
        {
            guesses.Failed(place.Source, Requester.Of(http).Name);
        }

        return false;
    }

    private static Task CrowdedAsync(HttpContext http, string what)
    {
        http.Response.Headers.RetryAfter = "5";
        return Reply.ProblemAsync(http, StatusCodes.Status503ServiceUnavailable, $"{what}: try again, with the token or over the local socket");
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
        StatusCodes.Status404NotFound => "no such path: docs/admin.md lists all",
        StatusCodes.Status405MethodNotAllowed => $"this path allows {http.Response.Headers.Allow}",
        _ => "this request cannot be processed",
    };

    private static string TooLarge() => $"the body is larger than {LargestBody / 1024} KiB, the maximum";
}
