using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Direct;
using L4Balancer.Core.Routing;
using L4Balancer.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Direct;

/// <summary>The endpoint API: every path and method that clients may use, and the answers to all others.</summary>
internal sealed class EndpointRequests(EndpointDesk desk, ILogger log)
{
    /// <summary>Of a request body, which is not read, in bytes.</summary>
    public const int LargestBody = 16 * 1024;

    private const string EndpointPath = "/v1/endpoint";
    private const string NegotiatePath = "/negotiate";

    /// <summary>Answers a request; throws nothing.</summary>
    public async Task AnswerAsync(HttpContext http)
    {
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        ConnectionPlace? place = ConnectionPlace.Of(http);
        try
        {
            if (place is not null && !place.TryBegin(isHealth: false))
            {
                EndpointReply.RetryAfter(http, TimeSpan.FromSeconds(1));
                await EndpointReply.ProblemAsync(http, StatusCodes.Status503ServiceUnavailable, "too many requests are being answered: try again");
                return;
            }

            try
            {
                await RouteAsync(http, place?.Source ?? HostAddress.Any4);
            }
            finally
            {
                place?.End();
            }
        }
        catch (Exception e) when (http.RequestAborted.IsCancellationRequested || e is OperationCanceledException)
        {
            http.Abort();
        }
        catch (BadHttpRequestException e) when (!http.Response.HasStarted)
        {
            await EndpointReply.ProblemAsync(http, e.StatusCode, e.Message);
        }
        catch (Exception e)
        {
            log.EndpointAnswerFailed(http.Request.Method, http.Request.Path, e);
            http.Abort();
        }
    }

    private Task RouteAsync(HttpContext http, HostAddress source)
    {
        HttpRequest request = http.Request;
        bool isNegotiate = request.Path == NegotiatePath;
        if (!isNegotiate && request.Path != EndpointPath)
        {
            return EndpointReply.ProblemAsync(
                http, StatusCodes.Status404NotFound, $"no such path: there are GET {EndpointPath} and POST {NegotiatePath}");
        }

        if (!CrossOrigin.Admit(http, desk.Settings.AllowOrigins))
        {
            return EndpointReply.ProblemAsync(
                http, StatusCodes.Status403Forbidden, "pages of this origin may not ask: add it to [endpoint] allow_origins");
        }

        if (HttpMethods.IsOptions(request.Method))
        {
            CrossOrigin.AnswerPreflight(http);
            return Task.CompletedTask;
        }

        string allowed = isNegotiate ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
        if (!allowed.Split(", ").Contains(request.Method, StringComparer.Ordinal))
        {
            http.Response.Headers.Allow = allowed;
            return EndpointReply.ProblemAsync(http, StatusCodes.Status405MethodNotAllowed, $"this path allows {allowed}");
        }

        if (request.ContentLength > LargestBody)
        {
            http.Response.Headers.Connection = "close";
            return EndpointReply.ProblemAsync(
                http, StatusCodes.Status413PayloadTooLarge, $"the body is larger than {LargestBody / 1024} KiB, the maximum: none is needed");
        }

        return HandOutAsync(http, source, isNegotiate);
    }

    private Task HandOutAsync(HttpContext http, HostAddress source, bool isNegotiate)
    {
        bool mayAsk = desk.TryAsk(source, out TimeSpan wait);
        HostAddress client = http.Connection.RemoteIpAddress is { } address ? HostAddress.From(address) : source;
        EndpointQuery? query = EndpointQuery.Of(http.Request, client, isNegotiate, out string mistake);
        Pool? pool = query is null ? null : desk.PoolOf(query.Pool);
        if (!mayAsk)
        {
            pool?.State.EndpointAnswers.Count(EndpointResult.Limited);
            EndpointReply.RetryAfter(http, wait);
            return EndpointReply.ProblemAsync(
                http, StatusCodes.Status429TooManyRequests,
                string.Create(CultureInfo.InvariantCulture, $"more than {desk.Settings.RatePerSource} requests per second from this address"));
        }

        if (query is null)
        {
            return EndpointReply.ProblemAsync(http, StatusCodes.Status400BadRequest, mistake);
        }

        if (pool is null)
        {
            return EndpointReply.NoPoolAsync(http, query.Pool);
        }

        // HEAD hands out nothing.
        bool isHead = HttpMethods.IsHead(http.Request.Method);
        HandOut handed = isHead ? desk.Look(pool, query.Ask) : desk.Take(pool, query.Ask, source);
        if (!isHead && handed.Fault != HandOutFault.NotByKey)
        {
            pool.State.EndpointAnswers.Count(handed.Fault == HandOutFault.None ? EndpointResult.Success : EndpointResult.NoBackend);
        }

        return isNegotiate
            ? EndpointReply.WriteNegotiationAsync(http, desk, pool, query, handed)
            : EndpointReply.WriteAsync(http, desk, pool, query, handed);
    }
}
