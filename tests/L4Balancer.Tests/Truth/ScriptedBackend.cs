using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Truth;

/// <summary>How a connection is to end, as the client asks for it in its first byte.</summary>
internal enum Ending : byte
{
    ClientCloses,
    BackendCloses,
    ClientResets,
    BackendResets,

    /// <summary>Neither side ends it: the balancer does, or the end of the backend process.</summary>
    Neither,
}

/// <summary>A backend that echoes one message (ending, length, payload) and then ends the connection as the message says.</summary>
internal sealed class ScriptedBackend : IAsyncDisposable
{
    public const int HeaderSize = 5;

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private readonly Task _accepting;

    public ScriptedBackend()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(4096);
        Endpoint = (IPEndPoint)_listener.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    public IPEndPoint Endpoint { get; }

    /// <summary>As when the process dies: nothing listens any more, and every connection is reset.</summary>
    public void Kill()
    {
        _listener.Dispose();
        foreach ((Socket socket, _) in _open)
        {
            Reset(socket);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Kill();
        await _accepting;
    }

    public static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is over already.
        }

        socket.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptAsync();
                _open[socket] = true;
                _ = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Killed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            byte[] message = new byte[HeaderSize + 4096];
            await ReadAsync(socket, message.AsMemory(0, HeaderSize));
            int length = BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(1));
            await ReadAsync(socket, message.AsMemory(HeaderSize, length));
            await socket.SendAsync(message.AsMemory(0, HeaderSize + length));
            switch ((Ending)message[0])
            {
                case Ending.BackendResets:
                    Reset(socket);
                    break;
                case Ending.BackendCloses:
                    socket.Shutdown(SocketShutdown.Send);
                    goto default;
                default:
                    await socket.ReceiveAsync(message);
                    break;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or EndOfStreamException)
        {
            // Reset by the other side, or killed.
        }
        finally
        {
            _open.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    private static async Task ReadAsync(Socket socket, Memory<byte> all)
    {
        for (int got = 0; got < all.Length;)
        {
            int count = await socket.ReceiveAsync(all[got..]);
            if (count == 0)
            {
                throw new EndOfStreamException();
            }

            got += count;
        }
    }
}
