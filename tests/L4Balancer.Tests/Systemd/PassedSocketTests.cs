using L4Balancer.Tests.Hosting;

namespace L4Balancer.Tests.Systemd;

/// <summary>LISTEN_FDS that promises sockets which were not passed: the numbers may be descriptors of the daemon's own by then.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class PassedSocketTests
{
    [TestCase(1)]
    [TestCase(200)]
    public async Task Numbers_without_a_socket_are_left_alone_and_reported(int promised)
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(),
            ["/bin/sh", "-c", $"LISTEN_PID=$$ LISTEN_FDS={promised} exec \"$@\"", "sh"],
            "run", "--config", DaemonProcess.ConfigFileWith(OneBackend.Config(backend.Endpoint)));
        await daemon.ReadyAsync();
        Assert.That(daemon.Output, Has.Exactly(1).Contains($"LISTEN_FDS promises {promised} sockets, but {promised} of these descriptors"));
        Assert.That(daemon.Output, Has.None.Contains("inherited socket matches no listener"));
        Assert.That(await OneBackend.ScrapeAsync(daemon), Does.Contain("process_open_fds"));
        using (System.Net.Sockets.TcpClient client = await OneBackend.ConnectAsync(daemon))
        {
            Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        }

        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Errors, Is.Empty);
    }

    [Test]
    public async Task A_file_in_their_place_is_not_closed()
    {
        await using var backend = new EchoPeer();
        string path = DaemonProcess.ConfigFileWith("");
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(),
            ["/bin/sh", "-c", $"exec 3>{path}; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", "sh"],
            "run", "--config", DaemonProcess.ConfigFileWith(OneBackend.Config(backend.Endpoint)));
        await daemon.ReadyAsync();
        Assert.That(daemon.Output, Has.Exactly(1).Contains("no sockets that were passed to this process (3)"));
        Assert.That(new FileInfo($"/proc/{daemon.Id}/fd/3").LinkTarget, Is.EqualTo(path));
    }
}
