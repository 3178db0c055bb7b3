using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// The data of one connection: written by the engine's thread that serves it, copied whole to the log, the histograms and the listings.
/// <see cref="ConnectionSetup"/> fills it while the connection is set up.
/// </summary>
public struct ConnectionRecord
{
    /// <summary>A connection that the backend ends this soon, without a byte, stays in its load for a while.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(1);

    /// <summary>Unique within the process, from 1.</summary>
    public ulong Id { get; internal set; }

    /// <summary>The listener and pool that it counts for, with the settings that apply to it; never null after accept.</summary>
    public ConnectionOrigin Origin { get; internal set; }

    /// <summary>
    /// The client's address, and the local address that it connected to; those that a PROXY header names, once one was read.
    /// </summary>
    public FourTuple Tuple { get; internal set; }

    /// <summary>What the client asked for, as far as it was read; null: nothing.</summary>
    public ClientNames? Names { get; internal set; }

    /// <summary>The backend connected to or, if none was reached, the last one tried; null if none was picked.</summary>
    public BackendState? Backend { get; internal set; }

    /// <summary>The local address of the connection to the backend, as the kernel reports it; zero until connected.</summary>
    public Endpoint LocalEndpoint { get; internal set; }

    public Instant AcceptedAt { get; internal set; }

    /// <summary>When the successful attempt, or the last one, began.</summary>
    public Instant ConnectStartedAt { get; internal set; }

    /// <summary>When a backend was connected; zero until then.</summary>
    public Instant EstablishedAt { get; internal set; }

    public Instant EndedAt { get; internal set; }

    /// <summary>Connect attempts, the successful one included; those without a free local port do not count.</summary>
    public int Attempts { get; internal set; }

    /// <summary>The generation of the configuration that admitted it.</summary>
    public long Generation { get; internal set; }

    public long BytesToBackend { get; set; }

    public long BytesToClient { get; set; }

    public CloseReason Reason { get; internal set; }

    /// <summary>Which limit was hit, if <see cref="Reason"/> is <see cref="CloseReason.Limit"/>.</summary>
    public LimitKind Limit { get; set; }

    /// <summary>
    /// The local port towards the backend, held from the moment that a connect is requested; not of a connection from the client's own address
    /// (<c>transparent</c>), which uses no port of this host's addresses.
    /// </summary>
    internal PortLease Lease;

    /// <summary>Its hold on an entry of the pool's table of sticky keys.</summary>
    internal StickyHold Sticky;

    /// <summary>Whether it is counted in its listener's <see cref="ClientTable"/>.</summary>
    internal bool HasClientPlace { get; set; }

    /// <summary>One side has sent FIN, and the other has not; counted by the pool.</summary>
    public bool IsHalfClosed { get; internal set; }

    public readonly bool IsEstablished => EstablishedAt.Ticks != 0;

    public readonly ListenerState Listener => Origin.Listener;

    public readonly PoolState Pool => Origin.Pool;

    /// <summary>Which route decided, as in <see cref="ConnectionOrigin.Route"/>.</summary>
    public readonly string Route => Origin.Route;

    /// <summary>From accept to the start of the successful or last attempt; to the end if none was made.</summary>
    public readonly TimeSpan QueueTime => (Attempts > 0 ? ConnectStartedAt : EndedAt) - AcceptedAt;

    /// <summary>The duration of the successful attempt; zero if none succeeded.</summary>
    public readonly TimeSpan ConnectTime => IsEstablished ? EstablishedAt - ConnectStartedAt : TimeSpan.Zero;

    /// <summary>From accept to the end.</summary>
    public readonly TimeSpan TotalTime => EndedAt - AcceptedAt;

    /// <summary>A copy with the time that it has lasted until now, for a report on a connection that has not ended.</summary>
    public readonly ConnectionRecord At(Instant now)
    {
        ConnectionRecord copy = this;
        copy.EndedAt = now;
        return copy;
    }

    /// <summary>
    /// Removes an established connection from this process's counters without ending it, because another engine or process takes it over.
    /// A copy of the record holds nothing any more, even if it says so.
    /// </summary>
    public readonly void Leave(BalancerState balancer)
    {
        ArgumentNullException.ThrowIfNull(balancer);
        Backend!.CountLeft();
        LeaveHalfClosed();
        Listener.CountClosed();
        LeaveClient();
        Origin.Sticky?.Drop(Sticky);
        Lease.Leave(LocalEndpoint.Port);
        balancer.CountEnded();
    }

    /// <summary>
    /// Adds an established connection that was taken over from another engine or process to the counters: once, before it is closed or left.
    /// </summary>
    public readonly void Join(BalancerState balancer)
    {
        ArgumentNullException.ThrowIfNull(balancer);
        Backend!.CountEstablished();
        Listener.CountJoined();
        if (IsHalfClosed)
        {
            Pool.CountHalfClosed(1);
        }

        if (HasClientPlace)
        {
            Listener.ByClient.Join(Tuple.Source.Address);
        }

        Lease.Join(LocalEndpoint.Port);
        balancer.CountAccepted();
    }

    /// <summary>
    /// Ends an established connection; only here do the counters of its end change. <see cref="BytesToClient"/> must be final.
    /// </summary>
    /// <param name="wasFirst">
    /// The balancer's FIN went to the backend before the backend's own came, and no reset ended the connection: the local port stays in
    /// TIME_WAIT.
    /// </param>
    public void Close(BalancerState balancer, CloseReason reason, bool wasFirst, Instant now)
    {
        Reason = reason;
        EndedAt = now;
        Backend!.CountClosed(reason);
        LeaveHalfClosed();
        Listener.CountClosed();
        LeaveClient();
        LeaveSticky(now);
        ReturnLease(LocalEndpoint.Port, wasFirst, now);
        balancer.CountEnded();
        JudgeEarlyEnd(balancer.ConnectReports, reason, now - EstablishedAt, now);
    }

    // A backend that accepts and closes at once looks idle to a balance that counts connections, and sound to passive checks.
    private readonly void JudgeEarlyEnd(ConnectReports reports, CloseReason reason, TimeSpan lasted, Instant now)
    {
        bool byBackend = reason is CloseReason.BackendClosed or CloseReason.BackendReset && BytesToClient == 0;
        if (byBackend && lasted < AtOnce)
        {
            Backend!.CountEndedAtOnce(now);
        }

        PassiveSettings passive = Origin.Policy.Passive;
        if (passive.EarlyClose == TimeSpan.Zero || lasted >= passive.EarlyClose)
        {
            return;
        }

        reports.Report(Backend!, Backend!.LeaveProbation(EstablishedAt, now, passive.EarlyClose));
        if (byBackend)
        {
            reports.Report(Backend!, Backend!.Connects.CountFailed("closed at once without a byte", passive.Failures, trial: 0));
        }
        else if (BytesToClient > 0)
        {
            reports.Report(Backend!, Backend!.Connects.CountSucceeded(trial: 0));
        }
    }

    /// <summary>One side of an established connection has finished before the other.</summary>
    public void NoteHalfClosed()
    {
        if (!IsHalfClosed)
        {
            IsHalfClosed = true;
            Pool.CountHalfClosed(1);
        }
    }

    private readonly void LeaveHalfClosed()
    {
        if (IsHalfClosed)
        {
            Pool.CountHalfClosed(-1);
        }
    }

    /// <summary>Returns its local port, if it has one.</summary>
    /// <param name="port">0 if the connect failed.</param>
    /// <param name="waits">Whether the balancer sent the first FIN, so that the port stays in TIME_WAIT.</param>
    internal void ReturnLease(ushort port, bool waits, Instant now)
    {
        if (Lease.IsHeld)
        {
            Lease.Return(port, waits, now);
        }
    }

    /// <summary>Returns the lease, if it has one, of a connect that got no port.</summary>
    internal void ReturnUnusedLease()
    {
        if (Lease.IsHeld)
        {
            Lease.ReturnNothing();
        }
    }

    /// <summary>The two hashes of its sticky key, with the seeds of the table that it holds an entry of (<see cref="StickyTable.Seeds"/>).</summary>
    /// <returns>False if it holds none.</returns>
    public readonly bool TryStickyHash(out ulong high, out ulong low)
    {
        StickyKeyHash? hash = Origin.Sticky?.HashOf(Sticky);
        (high, low) = (hash?.High ?? 0, hash?.Low ?? 0);
        return hash is not null;
    }

    /// <summary>Ends its hold on an entry of the pool's table of sticky keys, if it has one.</summary>
    internal void LeaveSticky(Instant now) => Origin.Sticky?.Release(ref Sticky, now);

    /// <summary>Ends its count in the <see cref="ClientTable"/>, if it is counted there.</summary>
    internal readonly void LeaveClient()
    {
        if (HasClientPlace)
        {
            Listener.ByClient.Leave(Tuple.Source.Address);
        }
    }
}
