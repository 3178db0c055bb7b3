using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;

namespace L4Balancer.Tests.Metrics;

/// <summary>What a scraper gets, as the tools of the formats' makers judge it.</summary>
[NonParallelizable]
[Platform("Linux")]
[Category(DaemonProcess.Category)]
internal sealed class ScrapeTests
{
    private const string OpenMetrics = "application/openmetrics-text; version=1.0.0";

    private const string Parse = """
        import sys
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
        for family in text_string_to_metric_families(sys.stdin.read()):
            print(family.name, family.type, len(family.samples))
        """;

    [Test]
    public async Task Promtool_finds_no_fault()
    {
        if (!File.Exists("/usr/local/bin/promtool") && !File.Exists("/usr/bin/promtool"))
        {
            Assert.Ignore("promtool is not installed: make test-deps");
        }

        (string text, string type) = await ScrapeAsync("text/plain");
        Assert.That(type, Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        (int code, string said) = await RunAsync("promtool", ["check", "metrics"], text);
        Assert.That(said, Is.Empty);
        Assert.That(code, Is.Zero);

        (code, said) = await RunAsync("promtool", ["check", "metrics"], text.Replace("# HELP l4balancer_connections_active", "# HELP x", StringComparison.Ordinal));
        Assert.That(code, Is.Not.Zero, "it would find one");
    }

    [Test]
    public async Task The_parser_of_the_Python_client_takes_it_as_OpenMetrics()
    {
        (int there, _) = await RunAsync("/usr/bin/python3", ["-c", "import prometheus_client"], "");
        if (there != 0)
        {
            Assert.Ignore("python3-prometheus-client is not installed: make test-deps");
        }

        (string text, string type) = await ScrapeAsync(OpenMetrics);
        Assert.That(type, Is.EqualTo("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"));
        (int code, string said) = await RunAsync("/usr/bin/python3", ["-c", Parse], text);
        Assert.That(code, Is.Zero, said);
        Assert.That(said, Does.Contain("l4balancer_connections_accepted counter 2\n")
            .And.Contain("l4balancer_connect_duration_seconds histogram 18\n")
            .And.Contain("l4balancer_backend_state gauge 6\n")
            .And.Contain("process_cpu_seconds counter 2\n"));

        (code, _) = await RunAsync("/usr/bin/python3", ["-c", Parse], text.Replace("# EOF\n", "", StringComparison.Ordinal));
        Assert.That(code, Is.Not.Zero, "it would find one that is cut off");
    }

    [Test]
    public void A_scrape_of_ten_thousand_backends_is_bounded_in_time_and_garbage()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 10_000);
        foreach (Backend backend in snapshot.Pools[0].Backends)
        {
            backend.State.CountConnectAttempt();
            backend.State.Traffic(0).Add(1_000_000, 2_000_000);
            backend.State.Health.Count(ProbeOutcome.Success);
            for (var reason = CloseReason.ClientClosed; reason <= CloseReason.BackendReset; reason++)
            {
                backend.State.CountEstablished();
                backend.State.CountClosed(reason);
            }
        }

        using var metrics = new ScrapedMetrics(() => snapshot);
        long retained = GC.GetTotalMemory(forceFullCollection: true);
        metrics.Body();
        retained = GC.GetTotalMemory(forceFullCollection: true) - retained;
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        var watch = Stopwatch.StartNew();
        long length = metrics.Body().Length;
        watch.Stop();
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        TestContext.Out.WriteLine(
            $"{length} bytes of text in {watch.ElapsedMilliseconds} ms, {allocated} bytes of garbage, {retained} retained after the first");

        // 160,000 series, 12.8 MB of text: an array of labels per measurement, and what the body grows by here.
        Assert.That(length, Is.GreaterThan(8_000_000));
        Assert.That(allocated, Is.LessThan(6 * length));
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
    }

    private static async Task<(string Text, string Type)> ScrapeAsync(string accept)
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint));
        await daemon.ReadyAsync();
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(await daemon.ListenerAsync("wss"));
            await client.GetStream().WriteAsync(new byte[5]);
            await client.GetStream().ReadExactlyAsync(new byte[5]);
        }

        await daemon.LineWithAsync("reason=client_closed");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("configuration reloaded");
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, await daemon.MetricsAsync());
        request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(accept));
        using HttpResponseMessage response = await http.SendAsync(request);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        string text = await response.Content.ReadAsStringAsync();
        Assert.That(text, Does.Contain("l4balancer_reloads_total{result=\"success\"} 1\n").And.Contain("l4balancer_worker_connections{worker=\"0\"} ")
            .And.Contain("engine=\"epoll\",version="));
        return (text, response.Content.Headers.ContentType!.ToString());
    }

    private static async Task<(int Code, string Said)> RunAsync(string program, string[] args, string input)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await errors);
    }

    private static string Config(IPEndPoint backend) => $"""
        [balancer]
        engine = "epoll"
        access_log = "all"
        [admin]
        socket = ""
        [metrics]
        listen = "127.0.0.1:0"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        [[pools.backends]]
        name = "ws1"
        address = "{backend}"

        """;
}
