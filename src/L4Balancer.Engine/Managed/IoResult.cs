using System.Net.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>How a receive or a send ended. What a network does every day is a value here, not an exception.</summary>
internal enum IoEnd
{
    /// <summary>It did what was asked.</summary>
    Done,

    /// <summary>The connection is gone: reset by its peer, given up by the kernel, or closed by us.</summary>
    Gone,

    /// <summary>The token was cancelled; the connection is as it was.</summary>
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
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return new IoResult(0, IoEnd.Gone);
        }
    }

    /// <summary>send(2), repeated until everything is sent. It ends early only with the connection.</summary>
    public static async ValueTask<IoResult> SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return new IoResult(await socket.SendAsync(bytes).ConfigureAwait(false), IoEnd.Done);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return new IoResult(0, IoEnd.Gone);
        }
    }
}
