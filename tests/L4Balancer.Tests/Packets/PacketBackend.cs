using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Packets;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Packets;

/// <summary>A backend of the packet tier: it has the virtual address on lo, sends its number to who connects, and then what it receives.</summary>
internal sealed class PacketBackend : IAsyncDisposable
{
    private readonly byte _number;
    private readonly Socket _listener;
    private readonly ConcurrentDictionary<Socket, Task> _serving = [];
    private readonly Task _accepting;

    private PacketBackend(byte number, Socket listener)
    {
        _number = number;
        _listener = listener;
        _accepting = AcceptAsync();
    }

    /// <summary>Of its interface.</summary>
    public static string MacOf(int number) => $"02:00:00:00:01:{number:x2}";

    /// <summary>Listens at every address of the host, as probes come to its own one.</summary>
    public static async Task<PacketBackend> StartAsync(VirtualHost host, int number)
    {
        // It answers for no address but that of its interface, or the balancer's neighbours would learn the virtual one from it.
        await host.ShellAsync($"""
            ip link set eth0 address {MacOf(number)}
            ip addr add 192.0.2.10/32 dev lo
            echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
            echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
            """);
        Socket listener = await host.NewSocketAsync(AddressFamily.InterNetwork);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Any, 443));
        listener.Listen(4096);
        return new PacketBackend((byte)number, listener);
    }

    /// <summary>Ends it with all of its connections, as a process that is killed.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        foreach (Socket socket in _serving.Keys)
        {
            socket.Close(0);
        }

        await Task.WhenAll(_serving.Values);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptAsync();
                _serving[socket] = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed of.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        byte[] buffer = new byte[16 * 1024];
        try
        {
            await socket.SendAsync(new[] { _number });
            while (await socket.ReceiveAsync(buffer) is > 0 and int count)
            {
                for (int sent = 0; sent < count;)
                {
                    sent += await socket.SendAsync(buffer.AsMemory(sent, count - sent));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Probes end with a reset.
        }

        socket.Dispose();
        _serving.TryRemove(socket, out _);
    }
}

/// <summary>Takes the outer headers off that come to a backend, as <c>l4balancer decapsulate</c> does.</summary>
[SupportedOSPlatform("linux")]
internal sealed class PacketTunnelEnd : IAsyncDisposable
{
    private readonly Decapsulator _decapsulator;

    private PacketTunnelEnd(Decapsulator decapsulator) => _decapsulator = decapsulator;

    public static async Task<PacketTunnelEnd> AttachAsync(VirtualHost host, bool secondChance)
    {
        Assert.That(HostAddress.TryParse("192.0.2.10", out HostAddress address));
        return new PacketTunnelEnd(await host.MakeAsync(() => Decapsulator.Attach("eth0", secondChance, [address])));
    }

    public ValueTask DisposeAsync()
    {
        _decapsulator.Dispose();
        return ValueTask.CompletedTask;
    }
}
