using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Admin;

/// <summary>What a daemon makes of its socket, its address and its token file when it starts, reloads and ends.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class AdminStartTests
{
    private SocketFolder _folder = null!;

    private string SocketPath => _folder.SocketPath;

    [SetUp]
    public void Make_a_folder() => _folder = new SocketFolder();

    [TearDown]
    public void Remove_it() => _folder.Dispose();

    [Test]
    public async Task A_living_daemon_keeps_its_socket_a_killed_one_s_is_replaced_and_the_last_one_s_is_removed()
    {
        await using DaemonProcess first = DaemonProcess.Run(Config());
        await first.LineWithAsync($"admin API on {SocketPath}");
        await first.ReadyAsync();

        await using (DaemonProcess second = DaemonProcess.Run(Config()))
        {
            await second.ReadyAsync();
            Assert.That(second.Output, Has.Some.Contains($"local admin socket {SocketPath} is not available: another daemon uses it"));
        }

        Assert.That(await HealthAsync(), Is.EqualTo("ok\n"));
        first.Signal(DaemonProcess.SIGKILL);
        await first.ExitAsync();
        Assert.That(Path.Exists(SocketPath), Is.True);

        await using DaemonProcess third = DaemonProcess.Run(Config());
        await third.ReadyAsync();
        Assert.That(await HealthAsync(), Is.EqualTo("ok\n"));
        third.Signal(DaemonProcess.SIGTERM);
        Assert.That(await third.ExitAsync(), Is.Zero);
        Assert.That(Path.Exists(SocketPath), Is.False);
    }

    [Test]
    public async Task What_is_no_socket_is_left_alone_and_warned_of()
    {
        await File.WriteAllTextAsync(SocketPath, "precious");
        await using DaemonProcess daemon = DaemonProcess.Run(Config());
        await daemon.ReadyAsync();
        Assert.That(daemon.Output, Has.Some.Contains($"local admin socket {SocketPath} is not available: the existing file is not a socket"));
        Assert.That(await File.ReadAllTextAsync(SocketPath), Is.EqualTo("precious"));
    }

    [Test]
    public async Task An_admin_port_in_use_is_one_line_with_the_mend()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using DaemonProcess daemon = DaemonProcess.Run(Config($"listen = \"{taken.LocalEndpoint}\""));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.Contain("[admin] listen").And.Contain("in use"));
        Assert.That(daemon.Output, Has.None.Contains("   at ").And.None.Contains("xception"));
        Assert.That(Path.Exists(SocketPath), Is.False);
    }

    [Test]
    public async Task A_drain_is_seen_at_readyz_while_connections_are_still_taken()
    {
        await using DaemonProcess daemon = DaemonProcess.Run(Config(balancer: "shutdown_delay = \"1h\""));
        await daemon.ReadyAsync();
        daemon.Signal(DaemonProcess.SIGTERM);
        HttpStatusCode status = HttpStatusCode.OK;
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        while (status == HttpStatusCode.OK)
        {
            deadline.Token.ThrowIfCancellationRequested();
            using HttpResponseMessage ready = await _folder.Http.GetAsync("/readyz", deadline.Token);
            status = ready.StatusCode;
        }

        Assert.That(status, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        Assert.That(await HealthAsync(), Is.EqualTo("ok\n"));
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task The_token_file_is_read_again_at_a_reload()
    {
        string token = _folder.PathOf("token");
        await using DaemonProcess daemon = DaemonProcess.Run(Config($"listen = \"127.0.0.1:0\"\ntoken_file = \"{token}\""));
        await daemon.ReadyAsync();
        await daemon.LineWithAsync($"token_file {token}: it cannot be read");
        string line = await daemon.LineWithAsync("admin API on http://");
        using var http = new HttpClient { BaseAddress = new Uri(line[line.IndexOf("http://", StringComparison.Ordinal)..]) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", "a-s3cret-of-the-tests");
        Assert.That(await ReloadAsync(http), Is.EqualTo(HttpStatusCode.Forbidden));
        using (HttpResponseMessage refused = await http.PostAsync("/v1/reload", null))
        {
            Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("configured but cannot be read"));
        }

        await File.WriteAllTextAsync(token, "a-s3cret-of-the-tests\n");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("SIGHUP: configuration reloaded");
        Assert.That(await ReloadAsync(http), Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Host_names_of_the_configuration_follow_a_reload()
    {
        string path = DaemonProcess.ConfigFileWith(Config("listen = \"127.0.0.1:0\""));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", path);
        await daemon.ReadyAsync();
        string line = await daemon.LineWithAsync("admin API on http://");
        using var http = new HttpClient { BaseAddress = new Uri(line[line.IndexOf("http://", StringComparison.Ordinal)..]) };
        http.DefaultRequestHeaders.Host = "lb1.internal:9180";
        using (HttpResponseMessage refused = await http.GetAsync("/v1/status"))
        {
            Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
            Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("[admin] hosts"));
        }

        await File.WriteAllTextAsync(path, Config("listen = \"127.0.0.1:0\"\nhosts = [\"lb1.internal\"]"));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("SIGHUP: configuration reloaded");
        foreach (string asked in new[] { "/v1/status", "/" })
        {
            using HttpResponseMessage response = await http.GetAsync(asked);
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), asked);
        }
    }

    private static async Task<HttpStatusCode> ReloadAsync(HttpClient http)
    {
        using HttpResponseMessage response = await http.PostAsync("/v1/reload", null);
        return response.StatusCode;
    }

    private async Task<string> HealthAsync()
    {
        // One daemon after the other holds the socket: a connection to the last one says nothing of this one.
        using HttpClient http = AdminScene.OverSocket(SocketPath);
        return await http.GetStringAsync("/healthz");
    }

    private string Config(string admin = "", string balancer = "") => $"""
        [balancer]
        {balancer}
        [admin]
        socket = "{SocketPath}"
        {admin}
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health = {"{ type = \"none\" }"}
        [[pools.backends]]
        name = "ws1"
        address = "127.0.0.1:9"
        """;
}
