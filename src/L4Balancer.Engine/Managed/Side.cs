using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>One of the two sockets of a connection, with what is known of its peer.</summary>
internal sealed class Side(Socket socket, CloseReason closed, CloseReason reset)
{
    private static readonly TimeSpan SendQueuePoll = TimeSpan.FromMilliseconds(5);

    /// <summary>Where bytes go that nobody wants any more: shared by all, written by all, read by none.</summary>
    private static readonly byte[] Discarded = new byte[64 * 1024];

    private bool _finSent;
    private bool _wasResetByUs;

    public Socket Socket { get; } = socket;

    /// <summary>The reason where this side ended the connection in good order.</summary>
    public CloseReason ClosedReason { get; } = closed;

    /// <summary>The reason where this side reset the connection.</summary>
    public CloseReason ResetReason { get; } = reset;

    /// <summary>Its peer's FIN was read. Under the relay's gate.</summary>
    public bool FinRead { get; set; }

    /// <summary>Our FIN went out before the peer's was read. Under the relay's gate.</summary>
    public bool WasFirst { get; set; }

    /// <summary>Its peer sent FIN, and everything before it was written to the other side. Under the relay's gate.</summary>
    public bool Finished { get; set; }

    /// <summary>Its peer reset the connection, or the kernel gave it up. Under the relay's gate.</summary>
    public bool WasReset { get; set; }

    /// <summary>Our port stays in TIME_WAIT: our FIN was the first, and nobody has reset the connection.</summary>
    public bool LeavesTimeWait => WasFirst && !WasReset && !Volatile.Read(ref _wasResetByUs);

    // Bytes sent to this peer that it has not acknowledged; 0 where the platform cannot say.
    private int Unacknowledged
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

    public static Side Client(Socket socket) => new(socket, CloseReason.ClientClosed, CloseReason.ClientReset);

    public static Side Backend(Socket socket) => new(socket, CloseReason.BackendClosed, CloseReason.BackendReset);

    /// <summary>Sends FIN; a peer that is gone already needs none.</summary>
    public void Finish()
    {
        Volatile.Write(ref _finSent, true);
        try
        {
            Socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // ENOTCONN: a reset was faster. What reads from this side finds it.
        }
        catch (ObjectDisposedException)
        {
            // A close at once was faster.
        }
    }

    /// <summary>Reads what the peer still sends, until it has finished too or nobody waits for that any more.</summary>
    public async Task DiscardAsync(CancellationToken stop)
    {
        IoResult received;
        do
        {
            received = await IoResult.ReceiveAsync(Socket, Discarded, stop).ConfigureAwait(false);
        }
        while (received is { End: IoEnd.Done, Bytes: > 0 });
    }

    /// <summary>Resets the peer: close(2) with a linger time of zero (socket(7), SO_LINGER). Pending operations end.</summary>
    public void Reset()
    {
        Volatile.Write(ref _wasResetByUs, true);
        try
        {
            Socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // EINVAL: the kernel has dropped the connection already. The close below is all that is left to do.
        }

        Socket.Dispose();
    }

    /// <summary>Resets the peer when it has all that was sent to it, or the grace is over: a reset discards what the kernel still holds.</summary>
    public async Task ResetAfterDeliveryAsync(Closing closing, TimeProvider clock)
    {
        while (Unacknowledged > 0 && !closing.IsGraceOver)
        {
            await Task.Delay(SendQueuePoll, clock).ConfigureAwait(false);
        }

        Reset();
    }

    /// <summary>Resets a peer that has not taken all it was to get; one that was sent its FIN is left in order.</summary>
    public void ResetUnlessFinished()
    {
        if (!Volatile.Read(ref _finSent))
        {
            Reset();
        }
    }
}
