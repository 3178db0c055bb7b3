using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Hosting;

/// <summary>What belongs to the process: its start, its signals, its end, its exit code.</summary>
internal sealed class DaemonTests
{
    [Test]
    public async Task It_relays_counts_and_logs_and_ends_in_order()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint, balancer: "access_log = \"all\""));
        await daemon.ReadyAsync();
        using (TcpClient client = await ConnectAsync(daemon))
        {
            Assert.That(await Talk.EchoAsync(client, "hello"), Is.EqualTo("hello"));
            string open = await ScrapeAsync(daemon);
            Assert.That(open, Does.Contain("l4balancer_connections_active{pool=\"chat\",backend=\"ws1\"} 1\n"));
            Assert.That(open, Does.Contain("l4balancer_build_info{version=\"").And.Contain("process_open_fds "));
        }

        string line = await daemon.LineWithAsync("reason=client_closed");
        Assert.That(line, Does.Match(@"^time=\S+Z id=\d+ listener=wss client=127\.0\.0\.1:\d+ destination=127\.0\.0\.1:\d+ pool=chat backend=ws1 ")
            .And.Contain(" to_backend=5 to_client=5 attempts=1 reason=client_closed"));
        string after = await ScrapeAsync(daemon);
        Assert.That(after, Does.Contain("l4balancer_connections_closed_total{pool=\"chat\",backend=\"ws1\",reason=\"client_closed\"} 1\n")
            .And.Contain("l4balancer_connection_duration_seconds_count{pool=\"chat\"} 1\n")
            .And.Contain("l4balancer_connect_duration_seconds_count{pool=\"chat\"} 1\n"));

        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output[^1], Does.EndWith("info    stopped"));
        Assert.That(daemon.Errors, Is.Empty);
    }

    [Test]
    public async Task Signals_that_are_not_built_yet_are_logged_and_never_kill()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint));
        await daemon.ReadyAsync();
        daemon.Signal(DaemonProcess.SIGUSR2);
        Assert.That(await daemon.LineWithAsync("SIGUSR2"), Does.Contain("not supported yet"));
        using TcpClient client = await ConnectAsync(daemon);
        Assert.That(await Talk.EchoAsync(client, "still here"), Is.EqualTo("still here"));
        daemon.Signal(DaemonProcess.SIGINT);
        daemon.Signal(DaemonProcess.SIGINT);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task A_second_signal_ends_the_grace()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint, balancer: "shutdown_grace = \"1h\""));
        await daemon.ReadyAsync();
        using TcpClient one = await ConnectAsync(daemon);
        using TcpClient other = await ConnectAsync(daemon);
        await Talk.EchoAsync(one, "open");
        await Talk.EchoAsync(other, "open");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.LineWithAsync("no new connections"), Does.Contain("SIGTERM").And.Contain(" 2 "));

        // Spread over the grace, the first is closed now and the second in half an hour.
        Task<int> oneEnds = one.GetStream().ReadAsync(new byte[1]).AsTask();
        Task<int> otherEnds = other.GetStream().ReadAsync(new byte[1]).AsTask();
        Task<int> first = await Task.WhenAny(oneEnds, otherEnds).WaitAsync(DaemonProcess.Deadline);
        Assert.That(await first, Is.Zero);
        (first == oneEnds ? one : other).Close();
        await daemon.LineWithAsync("reason=shutdown");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.Some.Contains("stopping at once with 1 "));
    }

    [Test]
    public async Task The_grace_ends_the_connections_by_itself()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint, balancer: "shutdown_grace = \"200ms\""));
        await daemon.ReadyAsync();
        using TcpClient client = await ConnectAsync(daemon);
        await Talk.EchoAsync(client, "open");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await client.GetStream().ReadAsync(new byte[1]), Is.Zero);
        client.Close();
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.Some.Contains("reason=shutdown"));
    }

    [Test]
    public async Task A_port_in_use_is_one_line_with_the_mend()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(new(IPAddress.Loopback, 9), bind: taken.LocalEndpoint.ToString()!));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.StartWith("l4balancer: ").And.Contain(taken.LocalEndpoint.ToString()!).And.Contain("in use"));
    }

    [Test]
    public async Task A_metrics_port_in_use_is_one_line_with_the_mend()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using DaemonProcess daemon = DaemonProcess.Run(
            Config(new(IPAddress.Loopback, 9), metrics: taken.LocalEndpoint.ToString()!));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.Contain("[metrics] listen").And.Contain("in use"));
    }

    [Test]
    [Platform("Linux")]
    public async Task A_privileged_port_without_the_right_is_one_line_with_the_mend()
    {
        if (int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_unprivileged_port_start"), null) <= 1)
        {
            Assert.Ignore("this system has no privileged ports (net.ipv4.ip_unprivileged_port_start)");
        }

        // Root loses the right with the bounding set; anybody else does not have it.
        string[] wrapper = Environment.IsPrivilegedProcess ? ["setpriv", "--bounding-set", "-net_bind_service"] : [];
        if (wrapper.Length > 0 && !File.Exists("/usr/bin/setpriv"))
        {
            Assert.Ignore("setpriv (util-linux) is not installed, and the tests run as root");
        }

        string path = DaemonProcess.ConfigFileWith(Config(new(IPAddress.Loopback, 9), bind: "127.0.0.1:1"));
        await using DaemonProcess daemon = DaemonProcess.Start(new Dictionary<string, string>(), wrapper, "run", "--config", path);
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.Contain("127.0.0.1:1").And.Contain("CAP_NET_BIND_SERVICE"));
    }

    [Test]
    public async Task A_bad_configuration_ends_run_with_its_mistakes()
    {
        await using DaemonProcess daemon = DaemonProcess.Run("[balancer]\nworker = 2\n[[pools]]\n");
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(2));
        Assert.That(daemon.Errors, Has.All.Match(@"\.toml:\d+:\d+: error: "));
        Assert.That(daemon.Errors, Has.Count.GreaterThan(1));
    }

    [Test]
    public async Task The_environment_names_the_file()
    {
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string> { ["L4BALANCER_CONFIG"] = "/nonexistent/from-environment.toml" }, [], "run");
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(2));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.StartWith("/nonexistent/from-environment.toml: no such file"));
    }

    [Test]
    public async Task Settings_of_the_frameworks_change_nothing()
    {
        await using var backend = new EchoPeer();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_SDK_DISABLED"] = "true",
            ["OTEL_METRICS_EXEMPLAR_FILTER"] = "always_on",
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:1",
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["DOTNET_URLS"] = "http://127.0.0.1:1",
            ["Logging__LogLevel__Default"] = "None",
        };
        await using DaemonProcess daemon = DaemonProcess.Start(
            environment, [], "run", "--config", DaemonProcess.ConfigFileWith(Config(backend.Endpoint)));
        await daemon.ReadyAsync();
        Assert.That(await ScrapeAsync(daemon), Does.Contain("l4balancer_config_generation 1\n"));
    }

    [Test]
    [Platform("Linux")]
    public async Task The_descriptor_limit_is_raised_and_what_it_allows_is_logged()
    {
        await using DaemonProcess daemon = StartLimited("ulimit -Sn 1000 && ulimit -Hn 2000");
        string line = await daemon.LineWithAsync("descriptor limit ");
        int workers = Environment.ProcessorCount;
        int reserve = 258 + (workers * (2 + (2 * (2000 / 32 / workers))));
        Assert.That(
            line, Does.Contain($"up to {(2000 - reserve) / 2} connections (descriptor limit 2000, two each, {reserve} in reserve)"));
    }

    [Test]
    [Platform("Linux")]
    public async Task Every_thread_but_the_event_loops_is_nicer()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint, balancer: "workers = 2"));
        await daemon.ReadyAsync();

        // /proc/PID/task/TID/stat, proc(5): the name in parentheses, then the state as field 3; nice is field 19.
        (string Name, int Nice)[] threads =
        [
            .. Directory.GetDirectories($"/proc/{daemon.Id}/task").Select(t => File.ReadAllText(Path.Combine(t, "stat")))
                .Select(s => (s[(s.IndexOf('(', StringComparison.Ordinal) + 1)..s.LastIndexOf(')')], s[(s.LastIndexOf(')') + 2)..].Split(' ')))
                .Select(s => (s.Item1, int.Parse(s.Item2[16], System.Globalization.CultureInfo.InvariantCulture))),
        ];

        Assert.That(threads.Where(t => t.Name.StartsWith("worker ", StringComparison.Ordinal)).Select(t => t.Nice), Is.EqualTo(new[] { 0, 0 }));
        Assert.That(threads.Count(t => t.Nice == 5), Is.GreaterThan(threads.Length / 2));
    }

    [Test]
    [Platform("Linux")]
    public async Task Too_few_descriptors_are_one_line_with_the_mend()
    {
        await using DaemonProcess daemon = StartLimited("ulimit -n 200");
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.Contain("descriptor limit of 200").And.Contain("LimitNOFILE"));
    }

    [Test]
    [Platform("Linux")]
    public async Task Systemd_hears_of_the_start_and_the_end_and_the_journal_gets_priorities()
    {
        string path = Path.Combine(Path.GetTempPath(), $"l4balancer-notify-{Guid.NewGuid():N}");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 60_000 };
        manager.Bind(new UnixDomainSocketEndPoint(path));
        await using var backend = new EchoPeer();
        var environment = new Dictionary<string, string>
        {
            ["NOTIFY_SOCKET"] = path,
            ["JOURNAL_STREAM"] = "8:12345",
            ["INVOCATION_ID"] = "0123456789abcdef",
        };
        await using DaemonProcess daemon = DaemonProcess.Start(
            environment, [], "run", "--config", DaemonProcess.ConfigFileWith(Config(backend.Endpoint)));
        Assert.That(Receive(manager), Does.StartWith("READY=1\nSTATUS=").And.Contain("1 of 1 backends up"));
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(Receive(manager), Does.StartWith("STOPPING=1\n"));
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.All.Match(@"^<\d>"));
    }

    [Test]
    public async Task A_backend_that_goes_is_logged_and_takes_no_connections()
    {
        var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint));
        await daemon.ReadyAsync();
        await backend.DisposeAsync();
        Assert.That(await daemon.LineWithAsync("backend chat/ws1"), Does.Contain("is down: "));
        await daemon.LineWithAsync("pool chat has no backend that is up");
        Assert.That(await ScrapeAsync(daemon), Does.Contain("l4balancer_backend_up{pool=\"chat\",backend=\"ws1\"} 0\n"));
        IPEndPoint listener = await daemon.ListenerAsync("wss");
        using var client = new TcpClient();
        await client.ConnectAsync(listener);
        Assert.That(async () => await client.GetStream().ReadExactlyAsync(new byte[1]), Throws.InstanceOf<IOException>());
        await daemon.LineWithAsync("reason=no_backend");
    }

    [Test]
    public async Task A_source_address_that_the_host_does_not_have_is_told()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(
            Config(backend.Endpoint).Replace("[pools.health]", "source_ips = [\"127.0.0.1\", \"192.0.2.77\"]\n  [pools.health]", StringComparison.Ordinal));
        await daemon.ReadyAsync();
        Assert.That(daemon.Output.Where(l => l.Contains("source_ips", StringComparison.Ordinal)), Has.Exactly(1).Contains("192.0.2.77"));
    }

    [Test]
    public async Task Metrics_answer_nothing_but_their_question()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint));
        Uri metrics = await daemon.MetricsAsync();
        using var http = new HttpClient();
        Assert.That((await http.GetAsync(new Uri(metrics, "/"))).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That((await http.PostAsync(metrics, null)).StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed));
        Assert.That(
            (await http.PostAsync(metrics, new StringContent("body"))).StatusCode,
            Is.EqualTo(HttpStatusCode.MethodNotAllowed).Or.EqualTo(HttpStatusCode.RequestEntityTooLarge));

        HttpResponseMessage plain = await http.GetAsync(metrics);
        Assert.That(plain.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        using var request = new HttpRequestMessage(HttpMethod.Get, metrics);
        request.Headers.Add("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3");
        HttpResponseMessage open = await http.SendAsync(request);
        Assert.That(open.Content.Headers.ContentType!.ToString(), Does.StartWith("application/openmetrics-text; version=1.0.0"));
        Assert.That(await open.Content.ReadAsStringAsync(), Does.EndWith("# EOF\n"));
    }

    private static DaemonProcess StartLimited(string limits) => DaemonProcess.Start(
        new Dictionary<string, string>(), ["sh", "-c", $"{limits} && exec \"$@\"", "sh"],
        "run", "--config", DaemonProcess.ConfigFileWith(Config(new(IPAddress.Loopback, 9))));

    private static string Config(IPEndPoint backend, string bind = "127.0.0.1:0", string metrics = "127.0.0.1:0", string balancer = "") => $"""
        [balancer]
        {balancer}
        [admin]
        socket = ""
        [metrics]
        listen = "{metrics}"
        [[listeners]]
        name = "wss"
        bind = ["{bind}"]
        pool = "chat"
        [[pools]]
        name = "chat"
          [pools.health]
          interval = "100ms"
          fall = 2
          [[pools.backends]]
          name = "ws1"
          address = "{backend}"
        """;

    private static async Task<TcpClient> ConnectAsync(DaemonProcess daemon) => await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));

    private static async Task<string> ScrapeAsync(DaemonProcess daemon)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(await daemon.MetricsAsync());
    }

    private static string Receive(Socket manager)
    {
        var datagram = new byte[4096];
        return Encoding.UTF8.GetString(datagram, 0, manager.Receive(datagram));
    }
}
