using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Micro;

/// <summary>
/// Two loopback connections as a balancer has them, and the peers at their far ends: what the sender puts in, the relay moves from
/// one to the other, and the sink discards in the kernel. All on one thread.
/// </summary>
internal sealed unsafe class LoopbackRelay : IDisposable
{
    private const int LargestWrite = 256 * 1024;

    private readonly byte* _buffer = (byte*)NativeMemory.AllocZeroed(LargestWrite);
    private readonly int _sender;
    private readonly int _sink;

    public LoopbackRelay()
    {
        (_sender, Source) = Connect();
        (Sink, _sink) = Connect();
    }

    /// <summary>The relay's socket that bytes come from.</summary>
    public int Source { get; }

    /// <summary>The relay's socket that bytes go to.</summary>
    public int Sink { get; }

    /// <returns>Bytes that the kernel took.</returns>
    public int Put(int count)
    {
        SysResult sent = TcpSocket.Send(_sender, _buffer, Math.Min(count, LargestWrite));
        return sent.IsError ? 0 : sent.Value;
    }

    /// <returns>Bytes that had arrived behind the relay.</returns>
    public int Discard() => Discard(_sink);

    /// <summary>Discards what the relay would have moved: the floor, without a relay.</summary>
    public int DiscardAtSource() => Discard(Source);

    public void Dispose()
    {
        foreach (int socket in new[] { _sender, Source, Sink, _sink })
        {
            TcpSocket.Close(socket);
        }

        NativeMemory.Free(_buffer);
    }

    private static int Discard(int socket)
    {
        SysResult received = TcpSocket.Receive(socket, null, int.MaxValue, Libc.MSG_TRUNC);
        return received.IsError ? 0 : received.Value;
    }

    private static (int Client, int Server) Connect()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Endpoint address = Endpoint.From((IPEndPoint)listener.LocalEndPoint!);
        int client = TcpSocket.Open(address.Address).Value;
        TcpSocket.Connect(client, address);
        listener.Poll(Timeout.InfiniteTimeSpan, SelectMode.SelectRead);
        int server = TcpSocket.Accept((int)listener.Handle, out _).Value;
        foreach (int socket in new[] { client, server })
        {
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);

            // bbr would pace the sends, and the thread would wait for its timers. reno is in every kernel.
            ReadOnlySpan<byte> reno = "reno"u8;
            fixed (byte* name = reno)
            {
                _ = Libc.setsockopt(socket, Libc.IPPROTO_TCP, Libc.TCP_CONGESTION, name, (uint)reno.Length);
            }
        }

        return (client, server);
    }
}
