using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>One end of a connection, client or backend, that a test drives by hand.</summary>
internal sealed class Peer(Socket socket, Endpoint remote) : IDisposable
{
    private readonly TcpInfo _state = new(socket);
    private long _sent;

    public Socket Socket { get; } = socket;

    /// <summary>Zero for a UNIX socket.</summary>
    public Endpoint Local { get; } =
        socket.AddressFamily == AddressFamily.Unix ? default : Endpoint.From((IPEndPoint)socket.LocalEndPoint!);

    public Endpoint Remote { get; } = remote;

    /// <summary>Bytes that the kernel has taken from us.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Nothing that was sent waits here any more: the other kernel has it all.</summary>
    public bool SendQueueIsEmpty => _state.SendQueueIsEmpty;

    /// <summary>The kernel holds no connection any more: both sides have finished, or it was reset.</summary>
    public bool IsOver => _state.IsClosed;

    /// <summary>The error that waits here without anyone having read: a reset, mostly.</summary>
    public SocketError PendingError => (SocketError)Socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;

    /// <param name="from">The address to connect from; null: the kernel's choice.</param>
    public static async Task<Peer> ConnectAsync(Endpoint to, int sendBuffer = 0, string? from = null)
    {
        Socket socket = SocketEndPoint.Open(SocketEndPoint.Of(to));
        try
        {
            if (!to.IsUnix)
            {
                socket.NoDelay = true;
            }

            if (sendBuffer > 0)
            {
                socket.SendBufferSize = sendBuffer;
            }

            if (from is not null)
            {
                socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            }

            await socket.ConnectAsync(SocketEndPoint.Of(to)).Soon();
            return new Peer(socket, to);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int sent = await Socket.SendAsync(bytes).Soon();
            Interlocked.Add(ref _sent, sent);
            bytes = bytes[sent..];
        }
    }

    /// <returns>The digest of what was sent.</returns>
    public async Task<string> SendPatternAsync(int seed, long length)
    {
        using var pattern = new Pattern(seed);
        while (pattern.Taken < length)
        {
            await SendAsync(pattern.Next(length - pattern.Taken));
        }

        return pattern.Digest;
    }

    public async Task<byte[]> ReceiveAsync(int count)
    {
        byte[] bytes = new byte[count];
        await ReceiveAsync(bytes);
        return bytes;
    }

    /// <summary>Fills the buffer.</summary>
    public async Task ReceiveAsync(Memory<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int received = await Socket.ReceiveAsync(buffer).Soon();
            buffer = received > 0 ? buffer[received..] : throw new EndOfStreamException($"The stream ended {buffer.Length} bytes too early.");
        }
    }

    /// <summary>Reads until the stream ends, one way or the other.</summary>
    public Task<Received> ReceiveAllAsync() => ReceiveAllAsync(static _ => { });

    /// <param name="onReceived">Told how many bytes each read brought.</param>
    public async Task<Received> ReceiveAllAsync(Action<int> onReceived)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[64 * 1024];
        long bytes = 0;
        while (true)
        {
            int received;
            try
            {
                received = await Socket.ReceiveAsync(buffer.AsMemory()).Soon();
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset)
            {
                return new Received(bytes, Convert.ToHexString(hash.GetCurrentHash()), StreamEnd.Reset);
            }

            if (received == 0)
            {
                return new Received(bytes, Convert.ToHexString(hash.GetCurrentHash()), StreamEnd.Fin);
            }

            hash.AppendData(buffer, 0, received);
            bytes += received;
            onReceived(received);
        }
    }

    /// <summary>A FIN; reading goes on.</summary>
    public void Finish() => Socket.Shutdown(SocketShutdown.Send);

    /// <summary>A RST; what the other kernel has not got yet is lost.</summary>
    public void Reset()
    {
        Socket.LingerState = new LingerOption(true, 0);
        Socket.Dispose();
    }

    public void Dispose() => Socket.Dispose();
}
