using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Hosting;

/// <summary><c>new_connection_rate</c> through the file, on both engines.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class ConnectionRateTests
{
    [Test]
    public async Task A_storm_reaches_the_backend_at_the_rate_and_nobody_is_lost([Values("epoll", "managed")] string engine)
    {
        if (engine == "epoll" && !OperatingSystem.IsLinux())
        {
            Assert.Ignore("epoll is Linux");
        }

        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run($"""
            [balancer]
            engine = "{engine}"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            new_connection_rate = 50
            connect_timeout = "1m"
            health.type = "none"
            [[pools.backends]]
            name = "one"
            address = "{backend.Endpoint}"
            """);
        await daemon.ReadyAsync();
        IPEndPoint listener = await daemon.ListenerAsync("wss");

        var watch = Stopwatch.StartNew();
        string[] echoes = await Task.WhenAll(Enumerable.Range(0, 101).Select(async _ =>
        {
            using TcpClient client = await Talk.ConnectAsync(listener);
            return await Talk.EchoAsync(client, "a");
        }));

        Assert.That(echoes, Is.All.EqualTo("a"));
        Assert.That(backend.Accepted, Is.EqualTo(101));
        Assert.That(watch.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(1.9)), "a hundred spaces of 20 ms");
    }
}
