using System.Net.Sockets;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>How a receive or a send ended. Everyday network events are values here, not exceptions.</summary>
internal enum IoEnd
{
    /// <summary>The operation completed.</summary>
    Done,

    /// <summary>The connection is gone: reset by its peer, given up by the kernel, or closed by the balancer.</summary>
    Gone,

    /// <summary>The connection is gone because the kernel gave the peer up (ETIMEDOUT, EHOSTUNREACH, …).</summary>
    TimedOut,

    /// <summary>The token was cancelled; the connection is unchanged.</summary>
    Cancelled,
}

/// <summary>The number of bytes that one socket operation moved, or why it moved none.</summary>
internal readonly record struct IoResult(int Bytes, IoEnd End)
{
    /// <summary>recv(2): zero or more bytes; zero into a buffer that is not empty is the peer's FIN.</summary>
    public static async ValueTask<IoResult> ReceiveAsync(Socket socket, Memory<byte> buffer, CancellationToken token)
    {
        try
        {
            return new IoResult(await socket.ReceiveAsync(buffer, token).ConfigureAwait(false), IoEnd.Done);
        }
        catch (OperationCanceledException)
        {
            return new IoResult(0, IoEnd.Cancelled);
        }
        catch (SocketException e)
        {
            return Lost(e);
        }
        catch (ObjectDisposedException)
        {
            return new IoResult(0, IoEnd.Gone);
        }
    }

    /// <summary>send(2), repeated until everything is sent. It ends earlier only if the connection is lost.</summary>
    public static async ValueTask<IoResult> SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return new IoResult(await socket.SendAsync(bytes).ConfigureAwait(false), IoEnd.Done);
        }
        catch (SocketException e)
        {
            return Lost(e);
        }
        catch (ObjectDisposedException)
        {
            return new IoResult(0, IoEnd.Gone);
        }
    }

    private static IoResult Lost(SocketException e) =>
        new(0, ConnectErrors.LossOf(e.SocketErrorCode) == LossKind.TimedOut ? IoEnd.TimedOut : IoEnd.Gone);
}
