using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.NameServer;

/// <summary>Starts of a daemon whose <c>[dns] listen</c> cannot be had.</summary>
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
internal sealed class NameServerStartTests
{
    [TestCase(SocketType.Dgram, ProtocolType.Udp)]
    [TestCase(SocketType.Stream, ProtocolType.Tcp)]
    public async Task A_port_that_is_in_use_is_told_with_the_mend(SocketType type, ProtocolType protocol)
    {
        using var holder = new Socket(AddressFamily.InterNetwork, type, protocol);
        holder.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (type == SocketType.Stream)
        {
            holder.Listen();
        }

        await using DaemonProcess daemon = DaemonProcess.Run($"""
            [dns]
            listen = "{holder.LocalEndPoint}"
            zone = "lb.example.com"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
              [[pools.backends]]
              name = "ws1"
              address = "127.0.0.1:9"
            """);
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(string.Join('\n', daemon.Errors), Does.Contain(
            $"cannot listen on {holder.LocalEndPoint} ([dns] listen): the port is in use; stop the other program (ss -lntup shows it"));
    }
}
