using L4Balancer.Tests.EndToEnd;

namespace L4Balancer.Tests.Hosting;

/// <summary>Probes that talk to the application, from the file to what an operator sees; the backend is ASP.NET Core's own server.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class ApplicationProbeTests
{
    [TestCase("wss", "")]
    [TestCase("https", "status = \"500\"")]
    [TestCase("tls", "")]
    public async Task A_backend_that_answers_is_up_and_its_certificate_is_checked(string type, string more)
    {
        await using WebSocketBackend backend = await WebSocketBackend.StartAsync("one");
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Port, Health(type, backend.Certificate.CertificateFile) + more));
        await daemon.ReadyAsync();

        await BecomesAsync(daemon, "health_checks_total", "result=\"success\"", static value => value >= 3);
        Assert.That(await ValueAsync(daemon, "backend_up", ""), Is.EqualTo(1));
        Assert.That(await ValueAsync(daemon, "health_checks_total", "result=\"failure\""), Is.Null.Or.Zero);
    }

    [Test]
    public async Task A_backend_whose_application_does_not_answer_takes_no_connections_and_the_log_says_why()
    {
        await using WebSocketBackend backend = await WebSocketBackend.StartAsync("one");
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Port, "type = \"https\"\nstatus = \"200\"\ninterval = \"50ms\""));
        await daemon.ReadyAsync();

        Assert.That(await daemon.LineWithAsync("answered 500"), Does.Contain("one"));
        await BecomesAsync(daemon, "backend_up", "", static value => value == 0);
    }

    [Test]
    public async Task A_file_of_authorities_that_is_renewed_counts_from_the_reload_on()
    {
        await using WebSocketBackend backend = await WebSocketBackend.StartAsync("one");
        using var another = new BackendCertificate("another");
        string authorities = Path.Combine(Path.GetTempPath(), $"l4balancer-test-{Guid.NewGuid():N}.pem");
        File.Copy(another.CertificateFile, authorities);
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Port, Health("wss", authorities)));
        await daemon.ReadyAsync();
        await daemon.LineWithAsync("certificate is self-signed and not trusted");
        await BecomesAsync(daemon, "backend_up", "", static value => value == 0);

        File.Copy(backend.Certificate.CertificateFile, authorities, overwrite: true);
        daemon.Signal(DaemonProcess.SIGHUP);

        await daemon.LineWithAsync("pools.chat.health.ca_file: content with SHA-256 ");
        await BecomesAsync(daemon, "backend_up", "", static value => value == 1);

        await File.WriteAllTextAsync(authorities, "nothing");
        daemon.Signal(DaemonProcess.SIGHUP);
        Assert.That(
            await daemon.LineWithAsync("contains no PEM certificate"),
            Does.Match(@"\.toml:\d+:11: error: pools\[0\]\.health\.ca_file: "));
    }

    [Test]
    public async Task Check_reads_the_file_of_authorities()
    {
        string file = DaemonProcess.ConfigFileWith(Config(1, Health("wss", "/nowhere/ours.pem")));
        await using DaemonProcess check = DaemonProcess.Start("check", "--config", file);

        Assert.That(await check.ExitAsync(), Is.EqualTo(2));
        Assert.That(
            check.Errors.Single(),
            Is.EqualTo($"{file}:15:11: error: pools[0].health.ca_file: \"/nowhere/ours.pem\": no such file"));
    }

    private static string Health(string type, string authorities) => $"""
        type = "{type}"
        interval = "50ms"
        host = "localhost"
        verify = true
        ca_file = "{authorities}"

        """;

    private static string Config(int port, string health) => $"""
        [metrics]
        listen = "127.0.0.1:0"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        [pools.health]
        timeout = "20s"
        {health}
        [[pools.backends]]
        name = "one"
        address = "127.0.0.1:{port}"
        """;

    private static async Task BecomesAsync(DaemonProcess daemon, string metric, string label, Func<double, bool> right)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        double? value;
        do
        {
            deadline.Token.ThrowIfCancellationRequested();
            value = await ValueAsync(daemon, metric, label);
        }
        while (value is not { } known || !right(known));
    }

    private static async Task<double?> ValueAsync(DaemonProcess daemon, string metric, string label)
    {
        using var http = new HttpClient();
        string text = await http.GetStringAsync(await daemon.MetricsAsync());
        string? line = text.Split('\n').FirstOrDefault(l =>
            l.StartsWith($"l4balancer_{metric}{{", StringComparison.Ordinal) && l.Contains("backend=\"one\"", StringComparison.Ordinal)
            && l.Contains(label, StringComparison.Ordinal));
        return line is null ? null : double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }
}
