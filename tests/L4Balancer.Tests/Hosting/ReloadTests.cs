using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Hosting;

/// <summary>SIGHUP over a real daemon: the file is read again, and whoever is connected notices nothing.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class ReloadTests
{
    [Test]
    public async Task A_new_backend_takes_over_and_established_connections_stay()
    {
        await using var first = new EchoPeer();
        await using var second = new EchoPeer();
        string file = DaemonProcess.ConfigFileWith(Config(first.Endpoint, "one"));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();
        IPEndPoint listener = await daemon.ListenerAsync("wss");
        using TcpClient old = await Talk.ConnectAsync(listener);
        Assert.That(await Talk.EchoAsync(old, "before"), Is.EqualTo("before"));

        await File.WriteAllTextAsync(file, Config(second.Endpoint, "two"));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("SIGHUP: configuration reloaded");
        using TcpClient fresh = await Talk.ConnectAsync(listener);
        Assert.That(await Talk.EchoAsync(fresh, "after"), Is.EqualTo("after"));
        Assert.That(await Talk.EchoAsync(old, "still"), Is.EqualTo("still"));
        Assert.That((first.Accepted, second.Accepted), Is.EqualTo((1, 1)));
        Assert.That(daemon.Output, Has.Some.Contains("pools.chat.backends.two added").And.Some.Contains("pools.chat.backends.one removed"));
    }

    [Test]
    public async Task A_bad_file_changes_nothing_and_says_where()
    {
        await using var backend = new EchoPeer();
        string file = DaemonProcess.ConfigFileWith(Config(backend.Endpoint, "one"));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();

        await File.WriteAllTextAsync(file, Config(backend.Endpoint, "one") + "weight = 5000\n");
        daemon.Signal(DaemonProcess.SIGHUP);
        string line = await daemon.LineWithAsync("reload: ");
        await daemon.LineWithAsync("generation 1 remains active");

        Assert.That(line, Does.Match(@"reload: .*\.toml:\d+:10: error: pools\[0\]\.backends\[0\]\.weight: 5000 is out of range"));
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "works"), Is.EqualTo("works"));
    }

    [Test]
    public async Task What_needs_a_restart_is_said_and_the_rest_is_applied()
    {
        await using var backend = new EchoPeer();
        string file = DaemonProcess.ConfigFileWith(Config(backend.Endpoint, "one"));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();

        await File.WriteAllTextAsync(file, Config(backend.Endpoint, "one", "workers = 3\nshutdown_grace = \"1s\""));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("1 changes, generation 2");

        Assert.That(daemon.Output, Has.Some.Contains("restart required to apply: balancer.workers: 0 -> 3"));
        Assert.That(daemon.Output, Has.Some.Contains("balancer.shutdown_grace: \"30s\" -> \"1s\""));
    }

    [Test]
    public async Task A_hangup_during_the_grace_leaves_the_second_signal_its_meaning()
    {
        await using var backend = new EchoPeer();
        string file = DaemonProcess.ConfigFileWith(Config(backend.Endpoint, "one", "shutdown_grace = \"1h\""));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "open"), Is.EqualTo("open"));

        daemon.Signal(DaemonProcess.SIGTERM);
        IPEndPoint listener = await daemon.ListenerAsync("wss");
        Assert.That(
            async () =>
            {
                while (true)
                {
                    // Until nobody listens: by then the control plane has ended too.
                    using TcpClient late = await Talk.ConnectAsync(listener);
                }
            },
            Throws.InstanceOf<SocketException>());
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("reload skipped: the daemon is shutting down");
        daemon.Signal(DaemonProcess.SIGTERM);

        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task A_file_that_cannot_be_read_holds_up_neither_health_nor_the_end()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("needs mkfifo");
        }

        var backend = new EchoPeer();
        string file = DaemonProcess.ConfigFileWith(
            Config(backend.Endpoint, "one").Replace("type = \"none\"", "interval = \"50ms\"", StringComparison.Ordinal));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();
        await daemon.ListenerAsync("wss");
        File.Delete(file);
        using (Process fifo = Process.Start("mkfifo", file))
        {
            await fifo.WaitForExitAsync();
        }

        // Whoever opens the pipe waits for who writes to it; the reload has come to that once its thread is there.
        daemon.Signal(DaemonProcess.SIGHUP);
        var waited = Stopwatch.StartNew();
        using (var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(10)))
        {
            while (!IsReading(daemon) && waited.Elapsed < DaemonProcess.Deadline)
            {
                await looks.WaitForNextTickAsync();
            }
        }

        Assert.That(IsReading(daemon), Is.True);
        await backend.DisposeAsync();
        await daemon.LineWithAsync("backend chat/one (" + backend.Endpoint + ") is down");
        daemon.Signal(DaemonProcess.SIGTERM);
        await daemon.LineWithAsync("SIGHUP: reload skipped: the daemon is shutting down");

        Assert.That(await daemon.ExitAsync(), Is.Zero);
        File.Delete(file);
    }

    private static bool IsReading(DaemonProcess daemon) => Directory.EnumerateDirectories($"/proc/{daemon.Id}/task").Any(
        task => File.ReadAllText($"{task}/comm").StartsWith("l4b-read", StringComparison.Ordinal));

    private static string Config(IPEndPoint backend, string name, string balancer = "") => $"""
        [balancer]
        {balancer}
        [admin]
        socket = ""
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health.type = "none"
        [[pools.backends]]
        name = "{name}"
        address = "{backend}"

        """;
}
