using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Hosting;

/// <summary><c>access_log_start</c> and <c>access_log_every</c> through the file, on both engines.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class AccessLogKindsTests
{
    [Test]
    public async Task A_connection_is_logged_at_its_start_while_it_lives_and_at_its_end([Values("epoll", "managed")] string engine)
    {
        if (engine == "epoll" && !OperatingSystem.IsLinux())
        {
            Assert.Ignore("epoll is Linux");
        }

        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(
            backend.Endpoint, balancer: $"engine = \"{engine}\"\naccess_log = \"all\"\naccess_log_start = true\naccess_log_every = \"1s\""));
        await daemon.ReadyAsync();
        using (TcpClient client = await OneBackend.ConnectAsync(daemon))
        {
            await Talk.EchoAsync(client, "abc");
            await daemon.LineWithAsync(" event=alive ", count: 2);
        }

        await daemon.LineWithAsync(" event=end ");
        string[] lines = [.. daemon.Output.Where(l => l.Contains(" event=", StringComparison.Ordinal))];
        string[] kinds = [.. lines.Select(l => l.Split(" event=")[1].Split(' ')[0])];
        Assert.That(kinds[0], Is.EqualTo("start"));
        Assert.That(kinds[1..^1], Is.All.EqualTo("alive"));
        Assert.That(kinds[^1], Is.EqualTo("end"));
        Assert.That(lines.Select(l => l.Split(" id=")[1].Split(' ')[0]).Distinct().Count(), Is.EqualTo(1));
        Assert.That(lines[0], Does.EndWith(" total=- to_backend=- to_client=- attempts=1 reason=-"));
        Assert.That(lines[^2], Does.EndWith(" to_backend=3 to_client=3 attempts=1 reason=-"));
        Assert.That(lines[^1], Does.EndWith(" to_backend=3 to_client=3 attempts=1 reason=client_closed"));
    }

    [Test]
    public async Task A_reload_switches_them_on_and_off()
    {
        await using var backend = new EchoPeer();
        string Config(string balancer) => OneBackend.Config(backend.Endpoint, balancer: balancer);
        string path = DaemonProcess.ConfigFileWith(Config("access_log = \"all\""));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", path);
        await daemon.ReadyAsync();
        using TcpClient client = await OneBackend.ConnectAsync(daemon);
        await Talk.EchoAsync(client, "abc");
        Assert.That(daemon.Output.Any(l => l.Contains(" event=", StringComparison.Ordinal)), Is.False);

        await File.WriteAllTextAsync(path, Config("access_log = \"all\"\naccess_log_every = \"1s\""));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync(" event=alive ");

        await File.WriteAllTextAsync(path, Config("access_log = \"all\""));
        daemon.Signal(DaemonProcess.SIGHUP);
        using (TcpClient last = await OneBackend.ConnectAsync(daemon))
        {
            await Talk.EchoAsync(last, "abc");
        }

        string line = await daemon.LineWithAsync(" reason=client_closed");
        Assert.That(line, Does.Not.Contain(" event=").Or.Contain(" event=end "));
    }
}
