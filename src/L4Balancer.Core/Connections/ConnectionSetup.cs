using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// The life of a connection from accept to relay, as a state machine: the engine tells what happened, and is told what to do. It
/// counts everything that happens in that time. One thread at a time; allocates nothing. It refers to a snapshot and its rings: who keeps
/// it beyond the end of the set-up clears it.
/// </summary>
public struct ConnectionSetup
{
    /// <summary>The same backend is not asked again sooner than this, or the connect timeout where that is shorter.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private RoutingSnapshot _snapshot;
    private Listener _listener;
    private BackendWalk _backends;
    private SourceWalk _sources;
    private uint _turn;
    private bool _connecting;
    private bool _queued;

    /// <summary>Settings of the pool that decides.</summary>
    public readonly PoolSettings PoolSettings => _listener.Pool.Settings;

    /// <summary>Where the connect that was asked for last goes to.</summary>
    public readonly Endpoint Target => _backends.Backend?.Endpoint ?? default;

    /// <summary>A connection was accepted: admit it, and pick its first backend.</summary>
    /// <param name="record">Overwritten whole.</param>
    public SetupStep Accepted(ref ConnectionRecord record, RoutingSnapshot snapshot, Listener listener, in FourTuple tuple, Instant now)
    {
        this = default;
        _snapshot = snapshot;
        _listener = listener;
        _turn = listener.Pool.Sources.NextTurn();
        record = new ConnectionRecord
        {
            Id = snapshot.Cell.NextId(),
            Origin = listener.Origin,
            Tuple = tuple,
            AcceptedAt = now,
            Generation = snapshot.Generation,
        };
        CloseReason whyNot = Admission.WhyNot(ref record, snapshot, listener, now);
        return whyNot == CloseReason.None ? TryNextBackend(ref record, now) : Refuse(ref record, whyNot, now);
    }

    /// <summary>The backend answered.</summary>
    /// <param name="source">Our side of the new connection.</param>
    public SetupStep Connected(ref ConnectionRecord record, Endpoint source, Instant now)
    {
        CountAttempt(ref record);
        record.Source = source;
        record.EstablishedAt = now;
        record.Lease.Connected(source.Port, now);
        BackendCell cell = record.Backend!;
        cell.CountEstablished();
        Tell(cell, _backends.NoteConnected());
        record.Listener.CountEstablished();
        return SetupStep.Relay;
    }

    /// <summary>The connect that was asked for last came to nothing; its deadline included.</summary>
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
            case ConnectFailure.NoSuchFamily:
                record.Lease.ReturnNothing();
                _backends.NoteShortage(CloseReason.ConnectFailed);
                _backends.Skip(_backends.Backend!.Index);
                return TryNextBackend(ref record, now);
            case ConnectFailure.LocalShortage:
                if (record.Lease.IsHeld)
                {
                    record.Lease.ReturnNothing();
                }

                return Refuse(ref record, CloseReason.Limit, now);
            default:
                CountAttempt(ref record);
                record.Lease.Return(0, waits: false, now);
                Tell(record.Backend!, _backends.NoteFailed(failure, PoolSettings.Passive.Failures));
                return record.Attempts >= _backends.AttemptsIn(_listener.Pool)
                    ? Refuse(ref record, _backends.LastFailure, now)
                    : TryNextBackend(ref record, now);
        }
    }

    /// <summary>The deadline of the last step has passed: the connect took too long, or a pause is over.</summary>
    /// <param name="newest">In force by now: it decides where a connection goes that has waited for its turn. One that has begun to connect
    /// goes on by what admitted it.</param>
    public SetupStep DeadlinePassed(ref ConnectionRecord record, RoutingSnapshot newest, Instant now)
    {
        if (_connecting)
        {
            return ConnectFailed(ref record, ConnectFailure.TimedOut, now);
        }

        if (_queued)
        {
            _queued = false;
            return TakeTurn(ref record, newest, now);
        }

        _backends.BeginAgain();
        return TryNextBackend(ref record, now);
    }

    /// <summary>The connection ends before a backend is connected: the client left, or we close.</summary>
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
        while (_backends.TryNext(ref record, _listener.Pool, now, out Instant turn))
        {
            _queued = turn > now;
            if (_queued)
            {
                return SetupStep.WaitUntil(turn);
            }

            if (TryBegin(ref record, now, out SetupStep step))
            {
                return step;
            }

            _backends.Skip(_backends.Backend!.Index);
        }

        CloseReason why = _backends.WhyNone(_listener.Pool);
        return why == CloseReason.None ? Pause(now) : Refuse(ref record, why, now);
    }

    private readonly SetupStep Pause(Instant now)
    {
        TimeSpan timeout = PoolSettings.ConnectTimeout;
        return SetupStep.WaitUntil(now + (timeout > TimeSpan.Zero && timeout < LongestPause ? timeout : LongestPause));
    }

    // What waited to be sent to a backend is sent elsewhere where that has gone down meanwhile.
    private SetupStep TakeTurn(ref ConnectionRecord record, RoutingSnapshot newest, Instant now)
    {
        int picked = Follow(ref record, newest);
        if (picked != Pool.None && _listener.Pool.StillTakes(picked, _backends.Trial))
        {
            Backend backend = _listener.Pool.Backends[picked];
            _backends.Follow(backend);
            record.Backend = backend.Cell;
            if (TryBegin(ref record, now, out SetupStep step))
            {
                return step;
            }

            _backends.Skip(picked);
        }

        return TryNextBackend(ref record, now);
    }

    // What the newest snapshot says of its listener, whose pool decides from now on; where the listener is gone, what the last one said.
    // The answer is the place there of the backend that was picked last, or none.
    private int Follow(ref ConnectionRecord record, RoutingSnapshot newest)
    {
        Backend picked = _backends.Backend!;
        if (ReferenceEquals(newest, _snapshot))
        {
            return picked.Index;
        }

        _snapshot = newest;
        Pool before = _listener.Pool;
        foreach (Listener listener in newest.Listeners)
        {
            if (listener.Cell == record.Listener)
            {
                _listener = listener;
                record.Origin = listener.Origin;
                _backends.Follow(before, listener.Pool);
                break;
            }
        }

        return _listener.Pool.IndexOf(picked.Cell);
    }

    // A window without a free port says little: others use ports too, and only the whole range is the kernel's last word.
    private SetupStep LookElsewhere(ref ConnectionRecord record, Instant now)
    {
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

    // From the walk's place on. What the kernel has refused a moment ago is not asked for again: it would search every port in vain.
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
            step = SetupStep.Connect(
                use.Source.Address, _sources.Window, backend.Endpoint, now.After(PoolSettings.ConnectTimeout));
            return true;
        }

        _connecting = false;
        step = default;
        return false;
    }

    private SetupStep Refuse(ref ConnectionRecord record, CloseReason reason, Instant now)
    {
        _connecting = false;
        _queued = false;
        if (record.Lease.IsHeld)
        {
            record.Lease.Return(0, waits: false, now);
        }

        _backends.LetGo();
        record.Reason = reason;
        record.EndedAt = now;
        record.Listener.CountRefused(reason);
        record.LeaveSource();
        _snapshot.Cell.CountEnded();
        return SetupStep.Refuse(reason);
    }

    private void CountAttempt(ref ConnectionRecord record)
    {
        _connecting = false;
        record.Attempts++;
        record.Backend!.CountConnectAttempt();
    }

    private readonly void Tell(BackendCell cell, ConnectNews news)
    {
        if (news != ConnectNews.None)
        {
            _snapshot.ConnectReports.Report(cell, news);
        }
    }
}
