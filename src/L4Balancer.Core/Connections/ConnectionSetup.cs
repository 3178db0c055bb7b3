using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// The life of a connection from accept to relay, as a state machine: the engine tells what happened, and is told what to do. It
/// counts everything that happens in that time. One thread at a time; allocates nothing.
/// </summary>
public struct ConnectionSetup
{
    /// <summary>The same backend is not asked again sooner than this, or the connect timeout where that is shorter.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    /// <summary>How long a connection waits for its turn (<c>new_connection_rate</c>) where connect_timeout sets no bound.</summary>
    private static readonly TimeSpan LongestQueue = TimeSpan.FromSeconds(3);

    private RoutingSnapshot _snapshot;
    private TriedBackends _tried;
    private uint _turn;
    private SourceWalk _sources;
    private CloseReason _lastFailure;
    private bool _connecting;
    private bool _blamed;
    private bool _picked;
    private bool _queued;
    private int _full;
    private Instant _queueUntil;
    private int _trial;
    private bool _hasTried;

    /// <summary>A connection was accepted: admit it, and pick its first backend.</summary>
    /// <param name="record">Overwritten whole.</param>
    public SetupStep Accepted(ref ConnectionRecord record, RoutingSnapshot snapshot, Listener listener, in FourTuple tuple, Instant now)
    {
        this = default;
        _snapshot = snapshot;
        _turn = listener.Pool.Sources.NextTurn();
        record = new ConnectionRecord
        {
            Id = snapshot.Cell.NextId(),
            Listener = listener,
            Tuple = tuple,
            AcceptedAt = now,
            Generation = snapshot.Generation,
        };

        int openHere = listener.Cell.CountAccepted();
        int openInAll = snapshot.Cell.CountAccepted();
        bool overLimit = openInAll > snapshot.MaxConnections
            || (listener.Settings.MaxConnections > 0 && openHere > listener.Settings.MaxConnections);
        return !listener.Allows(tuple.Source.Address) ? Refuse(ref record, CloseReason.Denied, now)
            : overLimit || !TryEnterSource(ref record, listener, now) ? Refuse(ref record, CloseReason.Limit, now)
            : TryNextBackend(ref record, now);
    }

    /// <summary>The backend answered.</summary>
    /// <param name="source">Our side of the new connection.</param>
    public SetupStep Connected(ref ConnectionRecord record, Endpoint source, Instant now)
    {
        CountAttempt(ref record);
        record.Source = source;
        record.EstablishedAt = now;
        record.Lease.Connected(source.Port, now);
        BackendCell cell = record.Backend!.Cell;
        cell.CountEstablished();
        Tell(cell, cell.Connects.CountSucceeded(_trial));
        LetGo(record);
        record.Listener.Cell.CountEstablished();
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
                PortUse unusable = _sources.Current(record.Backend!.Sources)!;
                unusable.Source.CountUnusable();
                unusable.NoteUnusable(now);
                return TryNextSource(ref record, CloseReason.ConnectFailed, now);
            case ConnectFailure.NoSuchFamily:
                record.Lease.ReturnNothing();
                NoteShortage(CloseReason.ConnectFailed);
                _tried.Add(record.Backend!.Index);
                return TryNextBackend(ref record, now);
            case ConnectFailure.LocalShortage:
                if (record.Lease.IsHeld)
                {
                    record.Lease.ReturnNothing();
                }

                return Refuse(ref record, CloseReason.Limit, now);
            default:
                _lastFailure = failure == ConnectFailure.TimedOut ? CloseReason.ConnectTimeout : CloseReason.ConnectFailed;
                _blamed |= failure != ConnectFailure.NotPermitted;
                CountAttempt(ref record);
                record.Lease.Return(0, waits: false, now);
                CountFailure(record, failure);
                _tried.Add(record.Backend!.Index);
                return record.Attempts >= AttemptsOf(record)
                    ? Refuse(ref record, _lastFailure, now)
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
            // What waited to be sent there is sent elsewhere where it has gone down meanwhile.
            _queued = false;
            int picked = Follow(ref record, newest);
            if (picked != Pool.None && record.Pool.StillTakes(picked, _trial))
            {
                record.Backend = record.Pool.Backends[picked];
                if (TryBegin(ref record, now, out SetupStep step))
                {
                    return step;
                }

                _tried.Add(picked);
            }

            return TryNextBackend(ref record, now);
        }

        ForgetTried();
        _blamed = false;
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

    private static bool TryEnterSource(ref ConnectionRecord record, Listener listener, Instant now)
    {
        if (!listener.LimitsSources)
        {
            return true;
        }

        ListenerSettings settings = listener.Settings;
        record.HasSourcePlace = listener.Cell.BySource.TryEnter(
            record.Tuple.Source.Address, settings.MaxConnectionsPerSource, settings.ConnectionRatePerSource, now);
        return record.HasSourcePlace;
    }

    // A trial that has failed is one more where others serve: whoever looks after a dead backend for them is not refused for it.
    private readonly int AttemptsOf(in ConnectionRecord record) =>
        record.Pool.Settings.ConnectAttempts + (_hasTried && record.Pool.HasLiving ? 1 : 0);

    private SetupStep TryNextBackend(ref ConnectionRecord record, Instant now)
    {
        _connecting = false;
        LetGo(record);
        PoolSettings settings = record.Pool.Settings;
        TimeSpan between = Pace.Between(settings.NewConnectionRate);
        Instant until = between > TimeSpan.Zero ? QueueUntil(settings, now) : now;
        while (true)
        {
            LetGo(record);
            int index = _tried.IsFull ? Pool.None : record.Pool.Take(record.Tuple, _tried.Span, mayTry: !_hasTried, out _trial);
            if (index == Pool.None)
            {
                return NobodyLeft(ref record, now);
            }

            Backend backend = record.Pool.Backends[index];
            if (between > TimeSpan.Zero && LacksPorts(backend, now))
            {
                ReturnTrial(backend.Cell);
                _tried.Add(index);
                continue;
            }

            if (!backend.Cell.TryReserve(now, between, until, out Instant turn))
            {
                ReturnTrial(backend.Cell);
                _tried.Add(index);
                _full++;
                continue;
            }

            record.Backend = backend;
            backend.Cell.CountPicked();
            _picked = true;
            _hasTried |= _trial != 0;
            _queued = turn > now;
            if (_queued)
            {
                return SetupStep.WaitUntil(turn);
            }

            if (TryBegin(ref record, now, out SetupStep step))
            {
                return step;
            }

            _tried.Add(index);
        }
    }

    // What the newest snapshot says of its listener, whose pool decides from now on; where the listener is gone, what the last one said.
    // The answer is the place there of the backend that was picked last, or none.
    private int Follow(ref ConnectionRecord record, RoutingSnapshot newest)
    {
        if (ReferenceEquals(newest, _snapshot))
        {
            return record.Backend?.Index ?? Pool.None;
        }

        _snapshot = newest;
        Pool before = record.Pool;
        foreach (Listener listener in newest.Listeners)
        {
            if (listener.Cell == record.Listener.Cell)
            {
                record.Listener = listener;
                _tried.Follow(before, record.Pool);
                _full = Math.Min(_full, _tried.Count);
                break;
            }
        }

        return record.Backend is { } picked ? record.Pool.IndexOf(picked.Cell) : Pool.None;
    }

    // Nobody takes a turn there for a connect that would not be asked for: the kernel has refused every source a moment ago.
    private bool LacksPorts(Backend backend, Instant now)
    {
        foreach (PortUse use in backend.Sources)
        {
            if (!use.IsRefused(now))
            {
                return false;
            }
        }

        foreach (PortUse use in backend.Sources)
        {
            use.Source.CountExhausted();
        }

        NoteShortage(CloseReason.SourcePortsExhausted);
        return true;
    }

    private SetupStep NobodyLeft(ref ConnectionRecord record, Instant now)
    {
        if (_tried.Count == _full)
        {
            return Refuse(ref record, record.Pool.HasLiving ? CloseReason.Limit : CloseReason.NoBackend, now);
        }

        // Every living backend was asked. One that refused may answer in a moment; a lack of ports of ours does not pass so soon.
        TimeSpan timeout = record.Pool.Settings.ConnectTimeout;
        TimeSpan pause = timeout > TimeSpan.Zero && timeout < LongestPause ? timeout : LongestPause;
        return _blamed ? SetupStep.WaitUntil(now + pause) : Refuse(ref record, _lastFailure, now);
    }

    // Whoever waits for a backend that goes away waits for the next one only so long as he would have waited there.
    private Instant QueueUntil(PoolSettings settings, Instant now)
    {
        if (_queueUntil.Ticks == 0)
        {
            _queueUntil = now + (settings.ConnectTimeout > TimeSpan.Zero ? settings.ConnectTimeout : LongestQueue);
        }

        return _queueUntil;
    }

    private void ForgetTried()
    {
        _tried.Clear();
        _full = 0;
        _queueUntil = default;
    }

    // A window without a free port says little: others use ports too, and only the whole range is the kernel's last word.
    private SetupStep LookElsewhere(ref ConnectionRecord record, Instant now)
    {
        PortUse use = _sources.Current(record.Backend!.Sources)!;
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
        NoteShortage(shortage);
        _sources.MoveOn();
        if (TryConnect(ref record, now, out SetupStep step))
        {
            return step;
        }

        _tried.Add(record.Backend!.Index);
        return TryNextBackend(ref record, now);
    }

    private bool TryBegin(ref ConnectionRecord record, Instant now, out SetupStep step)
    {
        _sources.Begin(record.Backend!.Sources, _turn, now);
        return TryConnect(ref record, now, out step);
    }

    // From the walk's place on. What the kernel has refused a moment ago is not asked for again: it would search every port in vain.
    private bool TryConnect(ref ConnectionRecord record, Instant now, out SetupStep step)
    {
        Backend backend = record.Backend!;
        for (; _sources.Current(backend.Sources) is { } use; _sources.MoveOn())
        {
            if (use.IsRefused(now))
            {
                use.Source.CountExhausted();
                NoteShortage(CloseReason.SourcePortsExhausted);
                continue;
            }

            _sources.Aim(use, now);
            record.Lease = PortLease.Take(use);
            record.ConnectStartedAt = now;
            _connecting = true;
            _queueUntil = default;
            step = SetupStep.Connect(
                use.Source.Address, _sources.Window, backend.Endpoint, now.After(record.Pool.Settings.ConnectTimeout));
            return true;
        }

        step = default;
        return false;
    }

    private void NoteShortage(CloseReason shortage)
    {
        _connecting = false;
        _lastFailure = _lastFailure == CloseReason.SourcePortsExhausted ? _lastFailure : shortage;
    }

    private SetupStep Refuse(ref ConnectionRecord record, CloseReason reason, Instant now)
    {
        _connecting = false;
        _queued = false;
        if (record.Lease.IsHeld)
        {
            record.Lease.Return(0, waits: false, now);
        }

        LetGo(record);
        record.Reason = reason;
        record.EndedAt = now;
        record.Listener.Cell.CountRefused(reason);
        record.LeaveSource();
        _snapshot.Cell.CountEnded();
        return SetupStep.Refuse(reason);
    }

    private void CountAttempt(ref ConnectionRecord record)
    {
        _connecting = false;
        record.Attempts++;
        record.Backend!.Cell.CountConnectAttempt();
    }

    private readonly void CountFailure(in ConnectionRecord record, ConnectFailure failure)
    {
        BackendCell cell = record.Backend!.Cell;
        cell.ConnectFailures.Count(_lastFailure);
        if (failure == ConnectFailure.NotPermitted)
        {
            return;
        }

        string fault = failure switch
        {
            ConnectFailure.TimedOut => "no answer in time",
            ConnectFailure.Unreachable => "unreachable",
            _ => "connection refused",
        };
        Tell(cell, cell.Connects.CountFailed(fault, record.Pool.Settings.Passive.Failures, _trial));
    }

    private readonly void Tell(BackendCell cell, ConnectNews news)
    {
        if (news != ConnectNews.None)
        {
            _snapshot.Cell.OnConnectNews?.Invoke(cell, news);
        }
    }

    // The backend that was picked last is not waited for any more: it is connected, given up, or nobody's business.
    private void LetGo(in ConnectionRecord record)
    {
        if (_picked)
        {
            _picked = false;
            record.Backend!.Cell.CountLetGo();
            ReturnTrial(record.Backend.Cell);
        }
    }

    // Nothing where the connect has ended: then the trial has too.
    private void ReturnTrial(BackendCell cell)
    {
        if (_trial != 0)
        {
            cell.Connects.ReturnTrial(_trial);
            _trial = 0;
        }
    }
}
