using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.NameServer;

/// <summary>What becomes of answers when a daemon stops.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
internal sealed class NameServerStopTests
{
    /// <summary>A client that does not close keeps a lingering close, and with it the daemon, for 5 s.</summary>
    private static readonly TimeSpan Lingering = TimeSpan.FromSeconds(4);

    [Test]
    public async Task A_balancer_without_a_fleet_that_accepts_no_more_gives_nobody_its_address()
    {
        using var backend = new HoldingBackend();
        await using DaemonProcess daemon = DaemonProcess.Run($"""
            [balancer]
            shutdown_grace = "30s"
            [dns]
            listen = "127.0.0.1:0"
            zone = "lb.example.com"
            address = ["192.0.2.10"]
            rate_per_source = 0
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
              [[pools.backends]]
              name = "ws1"
              address = "{backend.Endpoint}"
            """);
        await daemon.ReadyAsync();
        string line = await daemon.LineWithAsync("answering DNS for ");
        IPEndPoint server = IPEndPoint.Parse(line.Split(" on ")[1].Split(' ')[0]);
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        await client.GetStream().WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        await client.GetStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Deadline);
        Assert.That(await IsRefusedAsync(server), Is.False);

        daemon.Signal(DaemonProcess.SIGTERM);
        await daemon.LineWithAsync("no longer accepting connections");
        var waited = Stopwatch.StartNew();
        await ZoneScene.UntilAsync(() => IsRefusedAsync(server), "no answer");
        Assert.That(waited.Elapsed, Is.LessThan(Lingering), "not only at the end of the daemon");
    }

    private static async Task<bool> IsRefusedAsync(IPEndPoint server)
    {
        using var client = new UdpClient();
        client.Connect(server);
        try
        {
            await client.SendAsync(ZoneScene.Question("lb.example.com"));
            UdpReceiveResult answer = await client.ReceiveAsync().WaitAsync(TimeSpan.FromSeconds(1));
            Assert.That(ZoneScene.Addresses(answer.Buffer), Is.EqualTo(new[] { "192.0.2.10" }));
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
