using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Hosting;

/// <summary>What a daemon does from its start to its signal, and how it ends.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class DaemonTests
{
    [Test]
    public async Task It_relays_counts_and_logs_and_ends_in_order()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint, balancer: "access_log = \"all\""));
        await daemon.ReadyAsync();
        using (TcpClient client = await OneBackend.ConnectAsync(daemon))
        {
            Assert.That(await Talk.EchoAsync(client, "hello"), Is.EqualTo("hello"));
            string open = await OneBackend.ScrapeAsync(daemon);
            Assert.That(open, Does.Contain("l4balancer_connections_active{backend=\"ws1\",pool=\"chat\"} 1\n"));
            Assert.That(open, Does.Contain("l4balancer_build_info{commit=\"").And.Contain("process_open_fds{} "));
        }

        string line = await daemon.LineWithAsync("reason=client_closed");
        Assert.That(line, Does.Match(@"^time=\S+Z id=\d+ listener=wss client=127\.0\.0\.1:\d+ destination=127\.0\.0\.1:\d+ pool=chat backend=ws1 ")
            .And.Contain(" to_backend=5 to_client=5 attempts=1 reason=client_closed"));
        string after = await OneBackend.ScrapeAsync(daemon);
        Assert.That(after, Does.Contain("l4balancer_connections_closed_total{backend=\"ws1\",pool=\"chat\",reason=\"client_closed\"} 1\n")
            .And.Contain("l4balancer_connection_duration_seconds_count{pool=\"chat\"} 1\n")
            .And.Contain("l4balancer_connect_duration_seconds_count{pool=\"chat\"} 1\n"));

        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output[^1], Does.EndWith("info    stopped"));
        Assert.That(daemon.Errors, Is.Empty);
    }

    [Test]
    public async Task A_backend_that_goes_is_logged_and_takes_no_connections()
    {
        var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint));
        await daemon.ReadyAsync();
        await backend.DisposeAsync();
        Assert.That(await daemon.LineWithAsync("backend chat/ws1"), Does.Contain("is down: "));
        await daemon.LineWithAsync("pool chat has no backend that is up");
        Assert.That(await OneBackend.ScrapeAsync(daemon), Does.Contain("l4balancer_backend_up{backend=\"ws1\",pool=\"chat\"} 0\n"));
        Assert.That(await Talk.IsRefusedAsync(await daemon.ListenerAsync("wss")), Is.True);
        await daemon.LineWithAsync("reason=no_backend");
    }

    [Test]
    public async Task An_upgrade_that_cannot_be_is_logged_and_the_daemon_goes_on()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint, balancer: "engine = \"managed\""));
        await daemon.ReadyAsync();
        daemon.Signal(DaemonProcess.SIGUSR2);
        Assert.That(await daemon.LineWithAsync("SIGUSR2"), Does.Contain("refused: the engine \"managed\" cannot hand connections over"));
        using TcpClient client = await OneBackend.ConnectAsync(daemon);
        Assert.That(await Talk.EchoAsync(client, "still here"), Is.EqualTo("still here"));
        daemon.Signal(DaemonProcess.SIGINT);
        daemon.Signal(DaemonProcess.SIGINT);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task A_signal_that_is_not_used_is_logged_each_time_and_never_kills()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint));
        await daemon.ReadyAsync();
        using TcpClient client = await OneBackend.ConnectAsync(daemon);
        Assert.That(await Talk.EchoAsync(client, "before"), Is.EqualTo("before"));
        daemon.Signal(DaemonProcess.SIGUSR1);
        await daemon.LineWithAsync("SIGUSR1 is not used");
        Assert.That(await Talk.EchoAsync(client, "between"), Is.EqualTo("between"));
        daemon.Signal(DaemonProcess.SIGUSR1);

        // Signals are handled in order: once this one is logged, the one before it is as well.
        daemon.Signal(DaemonProcess.SIGUSR2);
        await daemon.LineWithAsync("SIGUSR2");
        Assert.That(await Talk.EchoAsync(client, "after"), Is.EqualTo("after"));
        daemon.Signal(DaemonProcess.SIGINT);
        daemon.Signal(DaemonProcess.SIGINT);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output.Count(l => l.Contains("SIGUSR1 is not used", StringComparison.Ordinal)), Is.EqualTo(2));
    }

    [Test]
    public async Task SIGQUIT_drains_and_stops_as_SIGTERM_does()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint, balancer: "shutdown_grace = \"200ms\""));
        await daemon.ReadyAsync();
        using TcpClient client = await OneBackend.ConnectAsync(daemon);
        await Talk.EchoAsync(client, "open");
        daemon.Signal(DaemonProcess.SIGQUIT);
        Assert.That(await daemon.LineWithAsync("no longer accepting connections"), Does.Contain("SIGQUIT"));
        Assert.That(await client.GetStream().ReadAsync(new byte[1]), Is.Zero);
        client.Close();
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.Some.Contains("reason=shutdown"));
    }

    [Test]
    public async Task A_second_signal_ends_the_grace()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint, balancer: "shutdown_grace = \"1h\""));
        await daemon.ReadyAsync();
        using TcpClient one = await OneBackend.ConnectAsync(daemon);
        using TcpClient other = await OneBackend.ConnectAsync(daemon);
        await Talk.EchoAsync(one, "open");
        await Talk.EchoAsync(other, "open");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.LineWithAsync("no longer accepting connections"), Does.Contain("SIGTERM").And.Contain(" 2 "));

        // Spread over the grace, the first is closed now and the second in half an hour.
        Task<int> oneEnds = one.GetStream().ReadAsync(new byte[1]).AsTask();
        Task<int> otherEnds = other.GetStream().ReadAsync(new byte[1]).AsTask();
        Task<int> first = await Task.WhenAny(oneEnds, otherEnds).WaitAsync(DaemonProcess.Deadline);
        Assert.That(await first, Is.Zero);
        (first == oneEnds ? one : other).Close();
        await daemon.LineWithAsync("reason=shutdown");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.Some.Contains("stopping immediately with 1 "));
    }

    [Test]
    public async Task The_grace_ends_the_connections_by_itself()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint, balancer: "shutdown_grace = \"200ms\""));
        await daemon.ReadyAsync();
        using TcpClient client = await OneBackend.ConnectAsync(daemon);
        await Talk.EchoAsync(client, "open");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await client.GetStream().ReadAsync(new byte[1]), Is.Zero);
        client.Close();
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.Some.Contains("reason=shutdown"));
    }
}
