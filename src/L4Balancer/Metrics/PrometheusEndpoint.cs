using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>
/// The metrics on a web host of ours (ASP.NET Core), collected for each request. Concurrent requests for the same text share a
/// collection, which lasts until the exporter has written it: it writes to memory, so that a slow reader does not hold up the others.
/// </summary>
internal sealed class PrometheusEndpoint : IDisposable
{
    /// <summary>For a whole answer; what Prometheus says in its request, where that is less.</summary>
    public static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(30);

    /// <summary>As for other large answers, so that the web host's minimum rate for readers holds.</summary>
    private const int LargeWrite = 256 * 1024;

    private static ReadOnlySpan<byte> End => "# EOF\n"u8;

    private readonly MetricsPipeline _pipeline;
    private readonly RequestDelegate _exporter;
    private readonly AnswerSlots _slots;
    private readonly TimeProvider _clock;
    private readonly DurationHistograms _durations;
    private volatile int _expected;

    public PrometheusEndpoint(BalancerMetrics metrics)
    {
        _clock = metrics.Clock;
        _durations = metrics.Durations;
        _slots = new AnswerSlots(_clock);
        _pipeline = new MetricsPipeline(metrics, "Web", builder => builder.AddPrometheusExporter(options =>
        {
            options.ScopeInfoEnabled = false;
            options.TargetInfoEnabled = false;
            options.ScrapeResponseCacheDurationMilliseconds = 0;
            options.ScrapeResponseTimeoutMilliseconds = (int)LongestAnswer.TotalMilliseconds;
        }), static instrument => DurationHistograms.IsOne(instrument) ? MetricStreamConfiguration.Drop : null);
        var app = new ApplicationBuilder(new ServiceCollection().BuildServiceProvider());
        app.UseOpenTelemetryPrometheusScrapingEndpoint(_pipeline.Provider, static _ => true, null, null, null);
        _exporter = app.Build();
    }

    /// <summary>Answers a request. A reader that takes longer than <see cref="LongestAnswer"/> is cut off.</summary>
    public async Task AnswerAsync(HttpContext http)
    {
        ConnectionPlace? place = ConnectionPlace.Of(http);
        using IDisposable? slot = await _slots.EnterAsync(place is { IsTrusted: false } ? place.Source : null, http.RequestAborted);
        if (slot is null)
        {
            http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            http.Response.Headers.RetryAfter = "5";
            return;
        }

        using var late = new CancellationTokenSource(LongestAnswer, _clock);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, http.RequestAborted);
        try
        {
            await WriteAsync(http, await CollectAsync(http), end.Token);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            http.Abort();
        }
    }

    public void Dispose() => _pipeline.Dispose();

    private async Task<ReadOnlyMemory<byte>> CollectAsync(HttpContext http)
    {
        Stream client = http.Response.Body;
        using var text = new MemoryStream(_expected);
        http.Response.Body = text;
        try
        {
            await _exporter(http);
        }
        finally
        {
            http.Response.Body = client;
        }

        WriteDurations(http, text);

        // The next text will be about as long: a stream that grows would leave copies behind.
        _expected = (int)text.Length + ((int)text.Length / 8);
        return text.GetBuffer().AsMemory(0, (int)text.Length);
    }

    // Before the end, which both formats mark.
    private void WriteDurations(HttpContext http, MemoryStream text)
    {
        if (http.Response.StatusCode != StatusCodes.Status200OK)
        {
            return;
        }

        bool isOpenMetrics = http.Response.ContentType?.StartsWith("application/openmetrics-text", StringComparison.Ordinal) == true;
        if (isOpenMetrics && _durations.IsContinued)
        {
            RemoveCreated(text);
        }

        bool isMarked = text.GetBuffer().AsSpan(0, (int)text.Length).EndsWith(End);
        text.Position = text.Length - (isMarked ? End.Length : 0);
        using (var writer = new StreamWriter(text, leaveOpen: true))
        {
            _durations.WriteText(writer, isOpenMetrics);
        }

        text.Write(isMarked ? End : []);
    }

    // Counters that go on from a process before have not begun with this one: a reader that takes the time for the begin would count all of it anew.
    private static void RemoveCreated(MemoryStream text)
    {
        Span<byte> all = text.GetBuffer().AsSpan(0, (int)text.Length);
        int kept = 0;
        for (int at = 0; at < all.Length;)
        {
            int end = all[at..].IndexOf((byte)'\n');
            Span<byte> line = end < 0 ? all[at..] : all.Slice(at, end + 1);
            at += line.Length;
            if (line.StartsWith("l4balancer_"u8) && line[..Math.Max(0, line.IndexOfAny((byte)'{', (byte)' '))].EndsWith("_created"u8))
            {
                continue;
            }

            line.CopyTo(all[kept..]);
            kept += line.Length;
        }

        text.SetLength(kept);
    }

    private static async Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> text, CancellationToken end)
    {
        http.Response.ContentLength = text.Length;
        for (; text.Length > 0; text = text[Math.Min(text.Length, LargeWrite)..])
        {
            await http.Response.Body.WriteAsync(text[..Math.Min(text.Length, LargeWrite)], end);
        }
    }
}
