using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>
/// The metrics on a web host of ours (ASP.NET Core), collected for each request. Concurrent requests for the same text share a
/// collection, and one that does not read its answer holds the others up until it times out.
/// </summary>
internal sealed class PrometheusEndpoint : IDisposable
{
    /// <summary>What Prometheus says in its request, where that is less.</summary>
    public static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(30);

    private readonly MetricsPipeline _pipeline;

    public PrometheusEndpoint(BalancerMetrics metrics)
    {
        _pipeline = new MetricsPipeline(metrics, "Web", builder => builder.AddPrometheusExporter(options =>
        {
            options.ScopeInfoEnabled = false;
            options.TargetInfoEnabled = false;
            options.ScrapeResponseCacheDurationMilliseconds = 0;
            options.ScrapeResponseTimeoutMilliseconds = (int)LongestAnswer.TotalMilliseconds;
        }));
        var app = new ApplicationBuilder(new ServiceCollection().BuildServiceProvider());
        app.UseOpenTelemetryPrometheusScrapingEndpoint(_pipeline.Provider, static _ => true, null, null, null);
        Answer = app.Build();
    }

    public RequestDelegate Answer { get; }

    public void Dispose() => _pipeline.Dispose();
}
