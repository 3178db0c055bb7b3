using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Metrics;

/// <summary>
/// The answer to GET /metrics, wherever it is asked. A few answers at a time, because each holds its whole text (25 MB with 10,000
/// backends) until the scraper has read it; who comes on top of them waits. Any thread.
/// </summary>
internal sealed class MetricsEndpoint(BalancerMetrics metrics, ILogger<MetricsEndpoint> log) : IDisposable
{
    private const int MostAtATime = 4;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _answers = new(MostAtATime);

    /// <summary>Bytes a second that a scraper has to read at least, so that a slow one does not keep an answer for hours.</summary>
    public static double SlowestScraper => 32 * 1024;

    public async Task AnswerAsync(HttpContext http)
    {
        HttpResponse response = http.Response;
        if (http.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = new MinDataRate(SlowestScraper, LongestWait);
        }

        ExpositionFormat format = Negotiation.Choose(http.Request.Headers.Accept);
        response.Headers.Vary = "Accept";
        response.ContentType = PrometheusText.ContentType(format);
        if (HttpMethods.IsHead(http.Request.Method))
        {
            return;
        }

        if (!await _answers.WaitAsync(LongestWait, http.RequestAborted))
        {
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        try
        {
            using var text = new ChunkedText();
            if (Collect(text, format))
            {
                response.ContentLength = text.Length;
                foreach (ReadOnlyMemory<byte> chunk in text.Chunks)
                {
                    await response.BodyWriter.WriteAsync(chunk, http.RequestAborted);
                }
            }
            else
            {
                response.StatusCode = StatusCodes.Status500InternalServerError;
            }
        }
        finally
        {
            _answers.Release();
        }
    }

    public void Dispose() => _answers.Dispose();

    private bool Collect(ChunkedText text, ExpositionFormat format)
    {
        try
        {
            metrics.Write(text, format);
            return true;
        }
        catch (Exception e)
        {
            // A fault of ours in one instrument; half an answer must not look like a whole one.
            log.CollectFailed(e);
            return false;
        }
    }
}
