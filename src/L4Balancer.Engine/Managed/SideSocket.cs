using System.Net.Sockets;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>One of the two sockets of a connection. Any thread may call.</summary>
internal sealed class SideSocket(Socket socket, Side side)
{
    /// <summary>Target of discarded bytes: shared and written by all connections, never read.</summary>
    private static readonly byte[] Discarded = new byte[64 * 1024];

    public Socket Socket { get; } = socket;

    public Side Side { get; } = side;

    /// <summary>Bytes sent that the peer has not acknowledged; 0 if the platform does not report it, or the socket is closed.</summary>
    public int Unacknowledged
    {
        get
        {
            if (!OperatingSystem.IsLinux())
            {
                return 0;
            }

            using var descriptor = new BorrowedDescriptor(Socket);
            return TcpSocket.Unacknowledged(descriptor.Number);
        }
    }

    /// <summary>Whether a receive would return at once: with bytes, the end of file or an error. False once the socket is closed.</summary>
    public bool IsReadable
    {
        get
        {
            try
            {
                return Socket.Poll(TimeSpan.Zero, SelectMode.SelectRead);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return false;
            }
        }
    }

    /// <summary>Sends FIN; no effect if the peer is already gone.</summary>
    public void Finish()
    {
        try
        {
            Socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // ENOTCONN: a reset came first. Reading from this side reports it.
        }
        catch (ObjectDisposedException)
        {
            // The socket was closed by an abort meanwhile.
        }
    }

    /// <summary>Discards what the peer still sends, until it has finished too or the token is cancelled.</summary>
    /// <returns>How it ended: end of file (<see cref="IoEnd.Done"/>), gone, or cancelled.</returns>
    public async Task<IoEnd> DiscardAsync(CancellationToken stop)
    {
        IoResult received;
        do
        {
            received = await IoResult.ReceiveAsync(Socket, Discarded, stop).ConfigureAwait(false);
        }
        while (received is { End: IoEnd.Done, Bytes: > 0 });
        return received.End;
    }

    /// <summary>Resets the peer: close(2) with a linger time of zero (socket(7), SO_LINGER). Pending operations end.</summary>
    public void Reset()
    {
        try
        {
            Socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // EINVAL: the kernel has already dropped the connection. Only the close below remains to be done.
        }

        Socket.Dispose();
    }
}
