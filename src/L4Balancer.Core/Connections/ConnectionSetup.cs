using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// State machine for a connection from accept to relay: the engine reports events, and each call returns the next step. Counts everything
/// that happens in that time. One thread at a time; allocates nothing, apart from the key and the names of a client that is inspected. It
/// refers to a snapshot and its rings: an engine that keeps it beyond the end of the set-up clears it, so that they can be collected.
/// </summary>
public partial struct ConnectionSetup
{
    private RoutingSnapshot _snapshot;
    private Listener _listener;
    private Route _route;
    private byte[]? _key;
    private BackendSearch? _search;
    private Instant _inspectUntil;
    private bool _connecting;
    private bool _isTransparent;
    private bool _queued;
    private bool _clientFinished;
    private bool _countedAbandoned;
    private bool _awaitsProxyHeader;
    private bool _inspecting;
    private bool _prolonged;

    /// <summary>The settings of the pool that currently decides.</summary>
    public readonly PoolSettings PoolSettings => _route.Pool.Settings;

    /// <summary>The target of the connect requested last.</summary>
    public readonly Endpoint Target => _search?.Backends.Backend?.Endpoint ?? default;

    /// <summary>The connect requested last is from the client's own address.</summary>
    public readonly bool IsTransparent => _isTransparent;

    // Null only while the pool is not decided on, and at the end.
    private readonly BackendSearch Search => _search!;

    /// <summary>A connection was accepted: admits it, and picks its first backend if nothing of what it sends has to be known for that.</summary>
    /// <param name="record">Overwritten completely.</param>
    /// <param name="tuple">The number of a client of a UNIX socket is replaced by the low bits of the connection's id.</param>
    public SetupStep Accepted(ref ConnectionRecord record, RoutingSnapshot snapshot, Listener listener, in FourTuple tuple, Instant now)
    {
        this = default;
        _snapshot = snapshot;
        _listener = listener;
        _route = listener.Default;
        ulong id = snapshot.State.NextId();
        record = new ConnectionRecord
        {
            Id = id,
            Origin = listener.Origin,

            // The low bits of the id take the place of the source port, so that a hash spreads the clients of a UNIX socket.
            Tuple = tuple.Source.IsUnix ? tuple with { Source = Endpoint.OfUnixClient((ushort)id) } : tuple,
            AcceptedAt = now,
            Generation = snapshot.Generation,
        };
        _awaitsProxyHeader = listener.IsProxy(tuple.Source.Address);
        CloseReason whyNot = Admission.WhyNotAccepted(ref record, snapshot, listener, isKnown: !_awaitsProxyHeader);
        if (whyNot != CloseReason.None)
        {
            return Refuse(ref record, whyNot, now);
        }

        _inspectUntil = now + InspectTime(listener);
        return _awaitsProxyHeader ? SetupStep.Inspect(_inspectUntil) : ClientKnown(ref record, now);
    }

    /// <summary>The deadline of the last step has passed: the connect took too long, or a pause is over.</summary>
    /// <param name="newest">
    /// The snapshot in force: it decides where a connection goes that has been queued. A connection that has begun to connect continues
    /// with the snapshot that admitted it.
    /// </param>
    /// <param name="isLate">
    /// The engine itself stood still (see <see cref="ConnectFailure.NotObserved"/>): the deadline is no proof against the backend.
    /// </param>
    public SetupStep DeadlinePassed(ref ConnectionRecord record, RoutingSnapshot newest, bool isLate, Instant now)
    {
        if (_awaitsProxyHeader || _inspecting)
        {
            return InspectionTimedOut(ref record, isLate, now);
        }

        if (_connecting)
        {
            return ConnectFailed(ref record, isLate ? ConnectFailure.NotObserved : ConnectFailure.TimedOut, now);
        }

        if (_queued)
        {
            _queued = false;
            return TakeTurn(ref record, newest, now);
        }

        Search.Backends.BeginAgain();
        return TryNextBackend(ref record, now);
    }

    /// <summary>The client has sent FIN and nothing before it: nothing of it waits for a backend.</summary>
    /// <returns>
    /// Whether it gives up its place in the queue of <c>new_connection_rate</c> (<c>abort_on_close</c>): the engine calls <see
    /// cref="Abandon"/>. It may be queued later too; then the step that follows says so.
    /// </returns>
    public bool ClientFinished(in ConnectionRecord record)
    {
        _clientFinished = true;
        return _queued && GivesUpPlace(record);
    }

    /// <summary>The connection ends before a backend is connected: the client left, or the balancer closes it.</summary>
    public SetupStep Abandon(ref ConnectionRecord record, CloseReason reason, Instant now)
    {
        if (_connecting)
        {
            CountAttempt(ref record);
        }

        return Refuse(ref record, reason, now);
    }

    private SetupStep Refuse(ref ConnectionRecord record, CloseReason reason, Instant now)
    {
        bool wasQueued = _queued;
        _connecting = false;
        _queued = false;
        _inspecting = false;
        _awaitsProxyHeader = false;
        record.ReturnLease(0, waits: false, now);
        if (wasQueued)
        {
            record.Backend!.ReturnReserved(RateLimiter.Between(PoolSettings.NewConnectionRate));
        }

        EndSearch();
        record.Reason = reason;
        record.EndedAt = now;
        record.Listener.CountRefused(reason);
        record.LeaveClient();
        record.LeaveSticky(now);
        _snapshot.State.CountEnded();
        return SetupStep.Refuse(reason);
    }

    // Releases the place at the backend that was picked last.
    private void EndSearch()
    {
        if (_search is { } search)
        {
            search.Backends.LetGo();
            _search = null;
            search.Return();
        }
    }

    private static Listener? ListenerIn(RoutingSnapshot snapshot, ListenerState state)
    {
        foreach (Listener listener in snapshot.Listeners)
        {
            if (listener.State == state)
            {
                return listener;
            }
        }

        return null;
    }

    private readonly void Report(BackendState state, PassiveHealthEvent news) => _snapshot.ConnectReports.Report(state, news);
}
