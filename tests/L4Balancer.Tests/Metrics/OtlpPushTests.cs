using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Metrics;

/// <summary>What an OTLP collector gets, and that none is missed.</summary>
[NonParallelizable]
[Category(DaemonProcess.Category)]
internal sealed class OtlpPushTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(50);

    [TestCase("/", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "application/grpc")]
    [TestCase("/v1/metrics", "/v1/metrics", "application/x-protobuf")]
    public async Task A_collector_gets_counters_and_histograms(string path, string asked, string type)
    {
        await using var collector = new Collector(path == "/" ? HttpProtocols.Http2 : HttpProtocols.Http1);
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System, workers: 1);
        using OtlpPush push = Push(new Uri(await collector.StartAsync(), path), metrics);
        metrics.Durations.Ended(Connections.Closed(snapshot, CloseReason.IdleTimeout));
        string seen = await collector.UntilAsync(s => s.Contains("l4balancer_connection_duration_seconds", StringComparison.Ordinal)
            && s.Contains("l4balancer_connections_closed_total", StringComparison.Ordinal));
        Assert.That(seen, Does.Contain("idle_timeout").And.Contain("ws1").And.Contain("service.name").And.Contain("l4balancer_backend_up"));
        Assert.That(collector.Asked, Has.All.EqualTo($"{asked} {type}"));

        // 604800 s, a week: the last bound of the contract.
        Assert.That(seen, Does.Contain(Encoding.Latin1.GetString(BitConverter.GetBytes(604800.0))));
    }

    [Test]
    public async Task Backends_that_a_reload_adds_are_pushed_by_the_thousand()
    {
        await using var collector = new Collector(HttpProtocols.Http1);
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System, workers: 1);
        using OtlpPush push = Push(new Uri(await collector.StartAsync(), "/v1/metrics"), metrics);
        metrics.Durations.Ended(Connections.Closed(snapshot, CloseReason.ClientClosed));
        await collector.UntilAsync(s => s.Contains("ws1", StringComparison.Ordinal));
        snapshot = RoutingSnapshot.Build(new(Connections.Config(backends: 3000), 1000), snapshot);
        string seen = await collector.UntilAsync(s => s.Contains("ws3000", StringComparison.Ordinal)
            && s.Contains("l4balancer_connection_duration_seconds", StringComparison.Ordinal));
        Assert.That(seen, Does.Not.Contain("otel.metric.overflow"));
    }

    [Test]
    public async Task A_collector_that_is_not_there_is_told_once_and_one_that_comes_gets_everything()
    {
        var log = new Lines();
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System, workers: 1);
        int port = FreePort();
        using var push = new OtlpPush(new Uri($"http://user:secret@127.0.0.1:{port}/v1/metrics"), metrics, Soon, Soon, log);
        await log.UntilAsync("could not push metrics");
        await using var collector = new Collector(HttpProtocols.Http1, port);
        await collector.StartAsync();
        await log.UntilAsync("pushing metrics to");
        Assert.That(log.All.Count(l => l.Contains("could not", StringComparison.Ordinal)), Is.EqualTo(1));
        Assert.That(log.All, Has.None.Contains("secret").And.Some.Contains("refused"));
    }

    [Test]
    public async Task A_collector_that_never_answers_does_not_hold_up_the_end()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System, workers: 1);
        OtlpPush push = Push(new Uri($"http://{silent.LocalEndpoint}/v1/metrics"), metrics);
        using Socket peer = await silent.AcceptSocketAsync();
        await Task.Run(push.Dispose).WaitAsync(TimeSpan.FromSeconds(5));
    }

    private static OtlpPush Push(Uri collector, BalancerMetrics metrics) =>
        new(collector, metrics, Soon, Soon, NullLogger<OtlpPush>.Instance);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class Lines : ILogger<OtlpPush>
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyCollection<string> All => _lines;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue(formatter(state, exception));

        public Task UntilAsync(string text) => Task.Run(() => Assert.That(
            SpinWait.SpinUntil(() => _lines.Any(l => l.Contains(text, StringComparison.Ordinal)), DaemonProcess.Deadline), text));
    }

    /// <summary>Takes what is pushed: bytes that hold every name and label as they are.</summary>
    private sealed class Collector : IAsyncDisposable
    {
        private readonly ConcurrentQueue<string> _pushed = new();
        private readonly ConcurrentQueue<string> _asked = new();
        private readonly WebApplication _app;

        public Collector(HttpProtocols protocols, int port = 0)
        {
            WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(o => o.Listen(IPAddress.Loopback, port, l => l.Protocols = protocols));
            _app = builder.Build();
            _app.Run(TakeAsync);
        }

        public IReadOnlyCollection<string> Asked => _asked;

        public async Task<Uri> StartAsync()
        {
            await _app.StartAsync();
            return new Uri(_app.Urls.First());
        }

        /// <returns>All that was pushed, once it is enough; of the latest a moment.</returns>
        public Task<string> UntilAsync(Predicate<string> enough) => Task.Run(() =>
        {
            string seen = "";
            SpinWait.SpinUntil(() => enough(seen = string.Concat(_pushed)), DaemonProcess.Deadline);
            Assert.That(enough(seen), Is.True, $"{_pushed.Count} pushes came");
            return seen;
        });

        public async ValueTask DisposeAsync()
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        private async Task TakeAsync(HttpContext http)
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body);
            _asked.Enqueue($"{http.Request.Path} {http.Request.ContentType}");
            _pushed.Enqueue(Encoding.Latin1.GetString(body.ToArray()));
            if (http.Request.ContentType == "application/grpc")
            {
                // An empty message, and in the trailers that all is well.
                http.Response.ContentType = "application/grpc";
                http.Response.DeclareTrailer("grpc-status");
                await http.Response.Body.WriteAsync(new byte[5]);
                http.Response.AppendTrailer("grpc-status", "0");
            }
        }
    }
}
