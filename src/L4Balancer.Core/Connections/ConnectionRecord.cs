using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// What is known of one connection: written by the engine's thread that serves it, copied whole to the log, the histograms and the
/// listings. Setting it up is <see cref="ConnectionSetup"/>'s work.
/// </summary>
public struct ConnectionRecord
{
    /// <summary>Unique within the process, from 1.</summary>
    public ulong Id { get; internal set; }

    /// <summary>The listener and pool that it counts for, with the settings that hold for it; never null once it is accepted.</summary>
    public ConnectionOrigin Origin { get; internal set; }

    /// <summary>The client, and the address of ours that it connected to.</summary>
    public FourTuple Tuple { get; internal set; }

    /// <summary>The backend connected to or, where none was reached, the last one tried; null where none was picked.</summary>
    public BackendCell? Backend { get; internal set; }

    /// <summary>Our side of the connection to the backend, as the kernel reports it; zero until connected.</summary>
    public Endpoint Source { get; internal set; }

    public Instant AcceptedAt { get; internal set; }

    /// <summary>When the attempt that succeeded, or the last one, began.</summary>
    public Instant ConnectStartedAt { get; internal set; }

    /// <summary>When a backend was connected; equal to zero until then.</summary>
    public Instant EstablishedAt { get; internal set; }

    public Instant EndedAt { get; internal set; }

    /// <summary>Connects made, the successful one included; those for which no local port was free do not count.</summary>
    public int Attempts { get; internal set; }

    /// <summary>Of the configuration that admitted it.</summary>
    public long Generation { get; internal set; }

    public long BytesToBackend { get; set; }

    public long BytesToClient { get; set; }

    public CloseReason Reason { get; internal set; }

    /// <summary>The local port towards the backend, from the moment that a connect is asked for.</summary>
    internal PortLease Lease;

    /// <summary>It has a place in its listener's table of sources.</summary>
    internal bool HasSourcePlace { get; set; }

    public readonly bool IsEstablished => EstablishedAt.Ticks != 0;

    public readonly ListenerCell Listener => Origin.Listener;

    public readonly PoolCell Pool => Origin.Pool;

    /// <summary>From accept to the attempt that succeeded, or to the last one; to the end where none was made.</summary>
    public readonly TimeSpan QueueTime => (Attempts > 0 ? ConnectStartedAt : EndedAt) - AcceptedAt;

    /// <summary>What the attempt that succeeded took; zero where none did.</summary>
    public readonly TimeSpan ConnectTime => IsEstablished ? EstablishedAt - ConnectStartedAt : TimeSpan.Zero;

    /// <summary>From accept to the end.</summary>
    public readonly TimeSpan TotalTime => EndedAt - AcceptedAt;

    /// <summary>An established connection leaves this process's books without an end: another engine goes on with it.</summary>
    public readonly void Leave(BalancerCell balancer)
    {
        ArgumentNullException.ThrowIfNull(balancer);
        Backend!.CountLeft();
        Listener.CountClosed();
        LeaveSource();
        Lease.Leave();
        balancer.CountEnded();
    }

    /// <summary>An established connection comes into the books from another engine.</summary>
    public readonly void Join(BalancerCell balancer)
    {
        ArgumentNullException.ThrowIfNull(balancer);
        Backend!.CountEstablished();
        Listener.CountJoined();
        if (HasSourcePlace)
        {
            Listener.BySource.Join(Tuple.Source.Address);
        }

        Lease.Join();
        balancer.CountAccepted();
    }

    /// <summary>Ends an established connection: the counters move here and nowhere else.</summary>
    /// <param name="wasFirst">
    /// Our FIN went to the backend before its own came, and nobody has reset the connection: our port stays in TIME_WAIT.
    /// </param>
    public void Close(BalancerCell balancer, CloseReason reason, bool wasFirst, Instant now)
    {
        Reason = reason;
        EndedAt = now;
        Backend!.CountClosed(reason);
        Listener.CountClosed();
        LeaveSource();
        Lease.Return(Source.Port, wasFirst, now);
        balancer.CountEnded();
    }

    /// <summary>Gives back the place among its source's connections, where it has one.</summary>
    internal readonly void LeaveSource()
    {
        if (HasSourcePlace)
        {
            Listener.BySource.Leave(Tuple.Source.Address);
        }
    }
}
