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
/// that happens in that time. One thread at a time; allocates nothing, apart from the key and the names of a client that is inspected. It refers to a snapshot and its rings: an engine that keeps it
/// beyond the end of the set-up clears it, so that they can be collected.
/// </summary>
public partial struct ConnectionSetup
{
    /// <summary>The same backend is not tried again sooner than this, or than the connect timeout if that is shorter.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private RoutingSnapshot _snapshot;
    private Listener _listener;
    private Route _route;
    private byte[]? _key;
    private BackendWalk _backends;
    private SourceWalk _sources;
    private uint _turn;
    private bool _connecting;
    private bool _queued;
    private bool _clientFinished;
    private bool _countedAbandoned;
    private bool _awaitsProxyHeader;
    private bool _inspecting;
    private bool _prolonged;
    private Instant _inspectUntil;

    /// <summary>The settings of the pool that currently decides.</summary>
    public readonly PoolSettings PoolSettings => _route.Pool.Settings;

    /// <summary>The target of the connect requested last.</summary>
    public readonly Endpoint Target => _backends.Backend?.Endpoint ?? default;

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

        _inspectUntil = now.After(listener.Settings.InspectTimeout);
        return _awaitsProxyHeader ? SetupStep.Inspect(_inspectUntil) : Know(ref record, now);
    }

    /// <summary>The connect succeeded.</summary>
    /// <param name="source">The local address of the new connection.</param>
    public SetupStep Connected(ref ConnectionRecord record, Endpoint source, Instant now)
    {
        CountAttempt(ref record);
        record.LocalEndpoint = source;
        record.EstablishedAt = now;
        record.Lease.Connected(source.Port, now);
        BackendState state = record.Backend!;
        state.CountEstablished();
        record.Origin.Sticky?.Confirm(record.Sticky, now);
        Report(state, _backends.NoteConnected(record.Origin.Policy.Passive.EarlyClose, now));
        record.Listener.CountEstablished();
        return SetupStep.Relay;
    }

    /// <summary>The connect requested last failed, or its deadline passed.</summary>
    public SetupStep ConnectFailed(ref ConnectionRecord record, ConnectFailure failure, Instant now)
    {
        switch (failure)
        {
            case ConnectFailure.NoFreePort:
                record.Lease.ReturnNothing();
                return LookElsewhere(ref record, now);
            case ConnectFailure.SourceUnusable:
                record.Lease.ReturnNothing();
                PortUse unusable = _sources.Current(_backends.Backend!.Sources)!;
                unusable.Source.CountUnusable();
                unusable.NoteUnusable(now);
                return TryNextSource(ref record, CloseReason.ConnectFailed, now);
            case ConnectFailure.NoSuchFamily or ConnectFailure.NotTransparent:
                record.Lease.ReturnNothing();
                _backends.NoteShortage(CloseReason.ConnectFailed);
                _backends.Skip(_backends.Backend!.Index);
                return TryNextBackend(ref record, now);
            case ConnectFailure.LocalShortage:
                if (record.Lease.IsHeld)
                {
                    record.Lease.ReturnNothing();
                }

                record.Limit = LimitKind.Host;
                return Refuse(ref record, CloseReason.Limit, now);
            default:
                CountAttempt(ref record);
                record.Lease.Return(0, waits: false, now);
                Report(record.Backend!, _backends.NoteFailed(failure, PoolSettings.Passive.Failures));
                return record.Attempts >= _backends.AttemptsIn(_route.Pool)
                    ? Refuse(ref record, _backends.LastFailure, now)
                    : TryNextBackend(ref record, now);
        }
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

        _backends.BeginAgain();
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

    private SetupStep TryNextBackend(ref ConnectionRecord record, Instant now)
    {
        _connecting = false;
        while (_backends.TryNext(ref record, _route.Pool, _key, now, out Instant turn))
        {
            _queued = turn > now;
            if (_queued)
            {
                if (_clientFinished && GivesUpPlace(record))
                {
                    return Refuse(ref record, CloseReason.ClientClosed, now);
                }

                return SetupStep.WaitUntil(turn);
            }

            if (TryBegin(ref record, now, out SetupStep step))
            {
                return step;
            }

            _backends.Skip(_backends.Backend!.Index);
        }

        CloseReason why = _backends.WhyNone(_route.Pool, out LimitKind limit);
        if (why == CloseReason.None)
        {
            return Pause(now);
        }

        record.Limit = limit;
        return Refuse(ref record, why, now);
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

    private readonly SetupStep Pause(Instant now)
    {
        TimeSpan timeout = PoolSettings.ConnectTimeout;
        return SetupStep.WaitUntil(now + (timeout > TimeSpan.Zero && timeout < LongestPause ? timeout : LongestPause));
    }

    // A queued connection is sent elsewhere if its backend has gone down meanwhile.
    private SetupStep TakeTurn(ref ConnectionRecord record, RoutingSnapshot newest, Instant now)
    {
        int picked = Rebase(ref record, newest, now);
        if (picked != Pool.None && _route.Pool.StillTakes(picked, _backends.Trial))
        {
            Backend backend = _route.Pool.Backends[picked];
            _backends.Rebase(backend);
            record.Backend = backend.State;
            if (TryBegin(ref record, now, out SetupStep step))
            {
                return step;
            }

            _backends.Skip(picked);
        }

        return TryNextBackend(ref record, now);
    }

    // Takes the listener, and with it the pool that decides from now on, from the newest snapshot; keeps the old one if the listener is
    // gone. Returns the index there of the backend that was picked last, or none.
    private int Rebase(ref ConnectionRecord record, RoutingSnapshot newest, Instant now)
    {
        Backend picked = _backends.Backend!;
        if (ReferenceEquals(newest, _snapshot))
        {
            return picked.Index;
        }

        _snapshot = newest;
        if (ListenerIn(newest, record.Listener) is { } listener && listener.Continue(_route) is { } route)
        {
            if (record.Origin.Sticky != route.Origin.Sticky)
            {
                record.LeaveSticky(now);
            }

            record.Origin = route.Origin;
            _backends.Rebase(_route.Pool, route.Pool);

            // The bytes of another key are gone: the tuple counts.
            _key = route.Pool.Key.Equals(_route.Pool.Key) ? _key : null;
            (_listener, _route) = (listener, route);
        }

        return _route.Pool.IndexOf(picked.State);
    }

    // A window without a free port proves little, because other processes use ports too; only a refusal of the whole range counts as
    // exhausted.
    private SetupStep LookElsewhere(ref ConnectionRecord record, Instant now)
    {
        if (Transparent(record, _backends.Backend!) is not null)
        {
            // The ports of this client's own address towards this backend: that says nothing about the sources, or other clients.
            _backends.NoteShortage(CloseReason.SourcePortsExhausted);
            _backends.Skip(_backends.Backend!.Index);
            return TryNextBackend(ref record, now);
        }

        PortUse use = _sources.Current(_backends.Backend!.Sources)!;
        if (_sources.Window is not { } window)
        {
            use.NoteRefused(now);
            use.Source.CountExhausted();
            return TryNextSource(ref record, CloseReason.SourcePortsExhausted, now);
        }

        use.NoteTaken(window);
        return TryConnect(ref record, now, out SetupStep step) ? step : TryNextSource(ref record, CloseReason.SourcePortsExhausted, now);
    }

    private SetupStep TryNextSource(ref ConnectionRecord record, CloseReason shortage, Instant now)
    {
        _backends.NoteShortage(shortage);
        _sources.MoveOn();
        if (TryConnect(ref record, now, out SetupStep step))
        {
            return step;
        }

        _backends.Skip(_backends.Backend!.Index);
        return TryNextBackend(ref record, now);
    }

    private bool TryBegin(ref ConnectionRecord record, Instant now, out SetupStep step)
    {
        _sources.Begin(_backends.Backend!.Sources, _turn, now);
        return TryConnect(ref record, now, out step);
    }

    // Continues at the current source. A source that the kernel refused a moment ago is skipped: the kernel would search every port in
    // vain.
    private bool TryConnect(ref ConnectionRecord record, Instant now, out SetupStep step)
    {
        Backend backend = _backends.Backend!;
        for (; _sources.Current(backend.Sources) is { } use; _sources.MoveOn())
        {
            if (use.IsRefused(now))
            {
                use.Source.CountExhausted();
                _backends.NoteShortage(CloseReason.SourcePortsExhausted);
                continue;
            }

            _sources.Aim(use, now);
            record.Lease = PortLease.Take(use);
            record.ConnectStartedAt = now;
            _connecting = true;
            _backends.NoteConnecting();
            step = Transparent(record, backend) is { } client
                ? SetupStep.Connect(null, null, backend.Endpoint, now.After(PoolSettings.ConnectTimeout)) with { Transparent = client }
                : SetupStep.Connect(use.Source.Address, _sources.Window, backend.Endpoint, now.After(PoolSettings.ConnectTimeout));
            return true;
        }

        _connecting = false;
        step = default;
        return false;
    }

    // Only within one family can the client's address be that of a connection to the backend; a client of a UNIX socket has none.
    private readonly HostAddress? Transparent(in ConnectionRecord record, Backend backend)
    {
        Endpoint client = record.Tuple.Source;
        return PoolSettings.Transparent && !client.IsUnix && !backend.Endpoint.IsUnix && client.Address.IsV4 == backend.Endpoint.Address.IsV4
            ? client.Address : null;
    }

    private SetupStep Refuse(ref ConnectionRecord record, CloseReason reason, Instant now)
    {
        bool wasQueued = _queued;
        _connecting = false;
        _queued = false;
        _inspecting = false;
        _awaitsProxyHeader = false;
        if (record.Lease.IsHeld)
        {
            record.Lease.Return(0, waits: false, now);
        }

        if (wasQueued)
        {
            record.Backend!.ReturnReserved(RateLimiter.Between(PoolSettings.NewConnectionRate));
        }

        _backends.LetGo();
        record.Reason = reason;
        record.EndedAt = now;
        record.Listener.CountRefused(reason);
        record.LeaveClient();
        record.LeaveSticky(now);
        _snapshot.State.CountEnded();
        return SetupStep.Refuse(reason);
    }

    private bool GivesUpPlace(in ConnectionRecord record)
    {
        if (!_countedAbandoned)
        {
            _countedAbandoned = true;
            record.Pool.CountQueueAbandoned();
        }

        return PoolSettings.AbortOnClose;
    }

    private void CountAttempt(ref ConnectionRecord record)
    {
        _connecting = false;
        record.Attempts++;
        record.Backend!.CountConnectAttempt();
    }

    private readonly void Report(BackendState state, PassiveHealthEvent news) => _snapshot.ConnectReports.Report(state, news);
}
