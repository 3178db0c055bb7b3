using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Packets;

/// <summary>A connection through the packet tier, every byte of which is compared.</summary>
internal sealed class PacketClient : IDisposable
{
    private readonly Socket _socket;

    private PacketClient(Socket socket, int backend, Endpoint source) => (_socket, Backend, Source) = (socket, backend, source);

    /// <summary>The number of the backend that answers.</summary>
    public int Backend { get; }

    public Endpoint Source { get; }

    public static async Task<PacketClient> ConnectAsync(VirtualHost host, IPEndPoint service)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        Socket socket = await host.NewSocketAsync(service.AddressFamily);
        try
        {
            socket.NoDelay = true;
            await socket.ConnectAsync(service, deadline.Token);
            byte[] number = new byte[1];
            Assert.That(await socket.ReceiveAsync(number, deadline.Token), Is.EqualTo(1));
            Assert.That(Endpoint.TryParse(socket.LocalEndPoint!.ToString()!, out Endpoint source));
            return new PacketClient(socket, number[0], source);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends bytes and reads them back.</summary>
    /// <exception cref="SocketException">The connection is gone.</exception>
    public async Task EchoAsync(int seed, int length)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        byte[] sent = new byte[length];
        new Random(seed).NextBytes(sent);
        byte[] received = new byte[length];
        await _socket.SendAsync(sent, deadline.Token);
        for (int at = 0; at < length;)
        {
            int count = await _socket.ReceiveAsync(received.AsMemory(at), deadline.Token);
            at += count > 0 ? count : throw new SocketException((int)SocketError.ConnectionReset);
        }

        Assert.That(received, Is.EqualTo(sent), $"bytes of {Source}");
    }

    /// <summary>Whether it still gets its bytes.</summary>
    public async Task<bool> LivesAsync()
    {
        try
        {
            await EchoAsync(Source.Port, 700);
            return true;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    public void Dispose() => _socket.Dispose();
}
