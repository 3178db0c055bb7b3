using System.Globalization;
using System.Text.Json;
using L4Balancer.Admin.Answers;
using L4Balancer.Core.Direct;
using L4Balancer.Core.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace L4Balancer.Direct;

/// <summary>Writes the answers about endpoints, of the endpoint API and of the admin API.</summary>
internal static class EndpointReply
{
    /// <summary>In seconds, for a client that finds no backend: spread, so that all do not come back at once.</summary>
    private const int LongestRetry = 5;

    /// <summary>The endpoint that is handed out, or why none is.</summary>
    public static Task WriteAsync(HttpContext http, EndpointDesk desk, Pool pool, EndpointQuery query, HandOut handed)
    {
        if (handed.Fault != HandOutFault.None)
        {
            return FaultAsync(http, pool, handed.Fault);
        }

        if (query.IsRedirect)
        {
            http.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
            http.Response.Headers.Location = handed.Backend!.Settings.PublicUrl;
            return Task.CompletedTask;
        }

        http.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(
            http.Response.BodyWriter, desk.AnswerOf(pool, query.Ask, handed), AdminJson.Default.EndpointAnswer, http.RequestAborted);
    }

    /// <summary>As <see cref="WriteAsync"/>, for SignalR's clients.</summary>
    public static Task WriteNegotiationAsync(HttpContext http, EndpointDesk desk, Pool pool, EndpointQuery query, HandOut handed)
    {
        if (handed.Fault != HandOutFault.None)
        {
            return FaultAsync(http, pool, handed.Fault);
        }

        EndpointAnswer answer = desk.AnswerOf(pool, query.Ask, handed);
        http.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(
            http.Response.BodyWriter, new NegotiateAnswer(0, ForHttp(answer.Url), answer.Token), AdminJson.Default.NegotiateAnswer,
            http.RequestAborted);
    }

    public static Task NoPoolAsync(HttpContext http, string name) => ProblemAsync(
        http, StatusCodes.Status404NotFound,
        $"no pool \"{(name.Length > 80 ? name[..80] + "…" : name)}\" whose backends have a public_url");

    /// <param name="detail">What is wrong, with the remedy.</param>
    public static Task ProblemAsync(HttpContext http, int status, string detail)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = Problem.MediaType;
        var problem = new Problem("about:blank", ReasonPhrases.GetReasonPhrase(status), status, detail);
        return JsonSerializer.SerializeAsync(http.Response.BodyWriter, problem, AdminJson.Default.Problem, http.RequestAborted);
    }

    /// <param name="wait">At least how long the client is to wait; it is told whole seconds.</param>
    public static void RetryAfter(HttpContext http, TimeSpan wait) =>
        http.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

    private static Task FaultAsync(HttpContext http, Pool pool, HandOutFault fault)
    {
        if (fault == HandOutFault.NotByKey)
        {
            return ProblemAsync(
                http, StatusCodes.Status400BadRequest,
                $"pool {pool.Name} does not choose by key: leave key out, or set balance = \"ring\" or \"maglev\"");
        }

        RetryAfter(http, TimeSpan.FromSeconds(Random.Shared.Next(1, LongestRetry + 1)));
        return ProblemAsync(
            http, StatusCodes.Status503ServiceUnavailable,
            fault == HandOutFault.Rate
                ? $"the backends of pool {pool.Name} take no more connections at this moment (new_connection_rate): ask again after Retry-After"
                : $"no backend of pool {pool.Name} takes connections: ask again after Retry-After");
    }

    // Both spellings name the same server; a client of SignalR first sends it a POST.
    private static string ForHttp(string url) =>
        url.StartsWith("ws", StringComparison.OrdinalIgnoreCase) ? $"http{url[2..]}" : url;
}
