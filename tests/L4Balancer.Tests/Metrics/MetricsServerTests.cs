using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;
using L4Balancer.Tests.Hosting;
using L4Balancer.Web;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Metrics;

/// <summary>What the address of <c>[metrics] listen</c> answers, and what it does not.</summary>
[Category(DaemonProcess.Category)]
[NonParallelizable]
internal sealed class MetricsServerTests
{
    [Test]
    public async Task Metrics_answer_nothing_but_their_question()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint));
        Uri metrics = await daemon.MetricsAsync();
        using var http = new HttpClient();
        Assert.That((await http.GetAsync(new Uri(metrics, "/"))).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        HttpResponseMessage plain = await http.GetAsync(metrics);
        Assert.That(plain.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        using var request = new HttpRequestMessage(HttpMethod.Get, metrics);
        request.Headers.Add("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3");
        HttpResponseMessage open = await http.SendAsync(request);
        Assert.That(open.Content.Headers.ContentType!.ToString(), Does.StartWith("application/openmetrics-text; version=1.0.0"));
        Assert.That(await open.Content.ReadAsStringAsync(), Does.EndWith("# EOF\n"));
    }

    // The scraper knows the host by some name.
    [TestCase("127.0.0.1", "127.0.0.1", null, "")]
    [TestCase("127.0.0.1", "127.0.0.1", "localhost", "")]
    [TestCase("127.0.0.1", "127.0.0.1", "lb1.example.com", "lb1.example.com")]
    [TestCase("0.0.0.0", "127.0.0.1", null, "")]
    [TestCase("0.0.0.0", "127.0.0.1", "lb1.example.com", "lb1.example.com")]
    [TestCase("[::1]", "[::1]", null, "")]
    [TestCase("[::1]", "[::1]", "lb1.example.com", "lb1.example.com")]
    [TestCase("[::]", "[::1]", "lb1.example.com", "lb1.example.com")]
    public async Task Metrics_answer_on_every_kind_of_address(string listen, string asked, string? host, string hosts)
    {
        await using var backend = new EchoPeer();
        string config = OneBackend.Config(backend.Endpoint, metrics: $"{listen}:0")
            .Replace("socket = \"\"", $"socket = \"\"\nhosts = [{(hosts.Length == 0 ? "" : $"\"{hosts}\"")}]", StringComparison.Ordinal);
        await using DaemonProcess daemon = DaemonProcess.Run(config);
        int port = (await daemon.MetricsAsync()).Port;
        Assert.That(port, Is.Not.Zero);
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{asked}:{port}/metrics");
        request.Headers.Host = host is null ? null : $"{host}:{port}";
        using HttpResponseMessage response = await http.SendAsync(request);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain("l4balancer_config_generation{} 1\n"));
    }

    [TestCase("127.0.0.1", "127.0.0.1", "rebound.example", "", 403)]
    [TestCase("0.0.0.0", "127.0.0.1", "rebound.example", "", 403)]
    [TestCase("[::1]", "[::1]", "rebound.example", "", 403)]
    [TestCase("0.0.0.0", "127.0.0.1", null, "cross-site", 403)]
    [TestCase("[::1]", "[::1]", null, "cross-site", 403)]
    [TestCase("[::1]", "[::1]", null, "none", 200)]
    public async Task Metrics_refuse_a_foreign_Host_and_pages_of_other_sites(string listen, string asked, string? host, string site, int status)
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint, metrics: $"{listen}:0"));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{asked}:{(await daemon.MetricsAsync()).Port}/metrics");
        request.Headers.Host = host;
        if (site.Length > 0)
        {
            request.Headers.Add("Sec-Fetch-Site", site);
        }

        using HttpResponseMessage response = await http.SendAsync(request);
        Assert.That((int)response.StatusCode, Is.EqualTo(status));
        Assert.That(await response.Content.ReadAsStringAsync(), status == 200 ? Does.Contain("l4balancer") : Does.Not.Contain("l4balancer_"));
    }

    [Test]
    public async Task A_scraper_that_does_not_read_holds_up_no_other_and_silent_ones_keep_none_out()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 5_000);
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System, workers: 1);
        using var endpoint = new PrometheusEndpoint(metrics);
        using var sockets = new ControlSockets([], NullLogger.Instance);
        await using MetricsServer server = await MetricsServer.StartAsync(
            new Endpoint(HostAddress.From(IPAddress.IPv6Loopback), 0), endpoint, static () => [], TimeProvider.System, sockets,
            NullLoggerFactory.Instance);
        List<TcpClient> clients = [];
        try
        {
            for (int i = 0; i < 2 + 40; i++)
            {
                var client = new TcpClient(AddressFamily.InterNetworkV6) { ReceiveBufferSize = 4096 };
                clients.Add(client);
                await client.ConnectAsync(IPAddress.IPv6Loopback, new Uri(server.Url).Port);
                if (i == 0)
                {
                    await client.GetStream().WriteAsync("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
                    await client.GetStream().ReadExactlyAsync(new byte[10]);
                }
            }

            var watch = Stopwatch.StartNew();
            using var http = new HttpClient();
            string text = await http.GetStringAsync(server.Url);
            Assert.That(text, Does.Contain("l4balancer_backend_up"));
            Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
            TestContext.Out.WriteLine($"{text.Length} characters after {watch.Elapsed}");
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [Test]
    public async Task A_scraper_that_does_not_read_does_not_hold_up_the_end()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 20_000);
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System, workers: 1);
        using var endpoint = new PrometheusEndpoint(metrics);
        using var sockets = new ControlSockets([], NullLogger.Instance);
        MetricsServer server = await MetricsServer.StartAsync(
            new Endpoint(HostAddress.From(IPAddress.Loopback), 0), endpoint, static () => [], TimeProvider.System, sockets,
            NullLoggerFactory.Instance);
        using var deaf = new TcpClient { ReceiveBufferSize = 4096 };
        await deaf.ConnectAsync(IPAddress.Loopback, new Uri(server.Url).Port);
        await deaf.GetStream().WriteAsync("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        await deaf.GetStream().ReadExactlyAsync(new byte[10]);
        await Task.Run(async () => await server.DisposeAsync()).WaitAsync(TimeSpan.FromSeconds(10));
    }
}
