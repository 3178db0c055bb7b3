using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Accounting;

/// <summary>
/// Counters and state of one backend of one pool. Kept by pool, name and address across snapshots, so that counts survive a reload, also
/// one that writes the same address in another way. Any thread may call any member, except that <see cref="Traffic"/> has a rule of its own.
/// </summary>
/// <param name="pool">The pool, which counts the same connections.</param>
public sealed class BackendState(PoolState pool, string name)
{
    private readonly Probation _probation = new();
    private int _active;
    private int _connecting;
    private long _connectAttempts;
    private long _nextTurn;
    private readonly RelayedBytes _carried = new();
    private RelayedBytes[] _relayed = [];
    private volatile string _nameFault = "";
    private FadingCount _endedAtOnce;
    private int _handedOut;
    private long _nextHandOut;
    private int _status = -1;
    private long _since;

    public string Pool { get; } = pool.Name;

    /// <summary>The pool that this backend counts for. It lives as long as one of its backends does.</summary>
    public PoolState PoolState { get; } = pool;

    public string Name { get; } = name;

    /// <summary>The address as it was first written: with pool and name it says which backend this is. Empty if it was never known.</summary>
    public string Address { get; init; } = "";

    /// <summary>Established connections.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Established connections and connects in progress.</summary>
    public int Load => Volatile.Read(ref _active) + Volatile.Read(ref _connecting);

    /// <summary>
    /// The load by which balances compare backends: <see cref="Load"/>, <see cref="HandedOut"/>, and for ten to twenty seconds each connection that the backend
    /// ended within a second without a byte.
    /// </summary>
    public int WeighedLoad(Instant now) => Load + Volatile.Read(ref _handedOut) + _endedAtOnce.At(now);

    /// <summary>
    /// Endpoints of this backend that clients were handed a moment ago: connections under way that do not come through the balancer. They count
    /// in <see cref="WeighedLoad"/>, so when backends are compared, and against no limit.
    /// </summary>
    public int HandedOut => Volatile.Read(ref _handedOut);

    /// <summary>Its value in <c>round-robin</c>; null before its first turn. Guarded by <see cref="PoolState.TurnGate"/>.</summary>
    internal long? Turn { get; set; }

    public long ConnectAttempts => Volatile.Read(ref _connectAttempts);

    public ReasonCounters ConnectFailures { get; } = new();

    public ReasonCounters Closed { get; } = new();

    /// <summary>Established connections that the balancer began to close at a limited rate, however they ended.</summary>
    public ReasonCounters Shed { get; } = new();

    /// <summary>Established connections that are not being closed at a limited rate.</summary>
    public int Staying
    {
        get
        {
            long leaving = 0;
            foreach (CloseReason reason in CloseReasons.Paced)
            {
                leaving += Math.Max(0, Shed[reason] - Closed[reason]);
            }

            return (int)Math.Max(0, Active - leaving);
        }
    }

    public HealthCounters Health { get; } = new();

    /// <summary>Why the latest look-up of its host name failed, in a few words; empty if it succeeded, or if there is no name. One writer.</summary>
    public string NameFault
    {
        get => _nameFault;
        set => _nameFault = value;
    }

    /// <summary>Passive health: the results of connects made for clients.</summary>
    public ConnectHealth Connects { get; } = new();

    /// <summary>Bytes written to the backend, summed over all workers and the processes before this one; never decreases.</summary>
    public long BytesToBackend
    {
        get
        {
            long sum = _carried.ToBackend;
            foreach (RelayedBytes relayed in Volatile.Read(ref _relayed))
            {
                sum += relayed.ToBackend;
            }

            return sum;
        }
    }

    /// <summary>Bytes written to clients, likewise.</summary>
    public long BytesToClient
    {
        get
        {
            long sum = _carried.ToClient;
            foreach (RelayedBytes relayed in Volatile.Read(ref _relayed))
            {
                sum += relayed.ToClient;
            }

            return sum;
        }
    }

    /// <summary>When it entered the status that it has now; zero before it is known. Any thread.</summary>
    public Instant StatusSince => new(Volatile.Read(ref _since));

    /// <summary>Notes the status; the time is kept if it is the same as before. One writer.</summary>
    /// <param name="status">The number of the status.</param>
    internal void NoteStatus(int status, Instant now)
    {
        if (_status != status)
        {
            _status = status;
            Volatile.Write(ref _since, now.Ticks);
        }
    }

    internal void WriteTo(CounterSheet sheet)
    {
        sheet["connect_attempts"] = ConnectAttempts;
        ConnectFailures.WriteTo(sheet, "connect_failures_");
        Closed.WriteTo(sheet, "closed_");
        Shed.WriteTo(sheet, "shed_");
        (sheet["bytes_to_backend"], sheet["bytes_to_client"]) = (BytesToBackend, BytesToClient);
        Health.WriteTo(sheet);
    }

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _connectAttempts, counted["connect_attempts"]);
        ConnectFailures.Add(counted, "connect_failures_");
        Closed.Add(counted, "closed_");
        Shed.Add(counted, "shed_");
        _carried.AddShared(counted["bytes_to_backend"], counted["bytes_to_client"]);
        Health.Add(counted);
    }

    /// <summary>Since when the process before this one has had the status. One writer.</summary>
    internal void ContinueStatus(int status, Instant since)
    {
        _status = status;
        Volatile.Write(ref _since, since.Ticks);
    }

    public void CountConnectAttempt() => Interlocked.Increment(ref _connectAttempts);

    /// <summary>Counts a connection that picked this backend, until <see cref="CountLetGo"/> is called.</summary>
    public void CountPicked()
    {
        Interlocked.Increment(ref _connecting);
        PoolState.CountPicked();
    }

    /// <summary>
    /// Reserves the next start time allowed by <c>new_connection_rate</c>, in the order of the calls (generic cell rate algorithm, ITU-T
    /// I.371, in one 64-bit word).
    /// </summary>
    /// <param name="between">The interval between two start times; zero means no limit.</param>
    /// <param name="until">The latest acceptable start time.</param>
    /// <param name="turn">The reserved start time, not earlier than now.</param>
    /// <returns>False if the next start time is after <paramref name="until"/>.</returns>
    public bool TryReserve(Instant now, TimeSpan between, Instant until, out Instant turn)
    {
        turn = now;
        if (between <= TimeSpan.Zero)
        {
            return true;
        }

        // Together with the start that is due now, at most the number of starts that fit in the slack can follow at once (see RateLimiter).
        long earliest = now.Ticks - Math.Max(0, (RateLimiter.Slack - between).Ticks);
        while (true)
        {
            long next = Volatile.Read(ref _nextTurn);
            long taken = Math.Max(next, earliest);
            if (taken > until.Ticks)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _nextTurn, taken + between.Ticks, next) == next)
            {
                turn = taken > now.Ticks ? new Instant(taken) : now;
                return true;
            }
        }
    }

    /// <summary>
    /// What an endpoint that is handed out has of <c>new_connection_rate</c>: a place of its own at the same rate, which it gets only while no
    /// relayed connection waits for a turn, and which no relayed connection waits for. Not for several threads at a time.
    /// </summary>
    /// <param name="between">As in <see cref="TryReserve"/>.</param>
    /// <param name="take">Whether to take the place, or only to look.</param>
    /// <returns>False if the rate is used up.</returns>
    internal bool TryHandOut(Instant now, TimeSpan between, bool take)
    {
        if (between <= TimeSpan.Zero)
        {
            return true;
        }

        long earliest = now.Ticks - Math.Max(0, (RateLimiter.Slack - between).Ticks);
        long due = Math.Max(Math.Max(_nextHandOut, Volatile.Read(ref _nextTurn)), earliest);
        if (due > now.Ticks)
        {
            return false;
        }

        if (take)
        {
            _nextHandOut = due + between.Ticks;
        }

        return true;
    }

    /// <summary>How much was handed out of this backend beyond its share of what its pool has handed out. Not for several threads at a time.</summary>
    internal double HandOutCredit { get; set; }

    /// <summary>
    /// Those of <see cref="HandedOut"/> that did not go to all backends by their shares: by key, or to even out the load. Not for several threads
    /// at a time.
    /// </summary>
    internal int HandedOutUnevenly { get; private set; }

    /// <summary>Counts an endpoint that was handed out, or ends its count. Not for several threads at a time.</summary>
    /// <param name="change">1 or -1.</param>
    internal void CountHandedOut(int change, bool isUneven)
    {
        Interlocked.Add(ref _handedOut, change);
        HandedOutUnevenly += isUneven ? change : 0;
    }

    /// <summary>
    /// Returns a start time that is not used, because its connection has ended in the queue: the next one to come gets one that much
    /// earlier. Those that wait keep theirs, so starts may come unevenly for a while, but not more of them.
    /// </summary>
    /// <param name="between">As in <see cref="TryReserve"/>.</param>
    public void ReturnReserved(TimeSpan between) => Interlocked.Add(ref _nextTurn, -between.Ticks);

    /// <summary>Ends the count of <see cref="CountPicked"/>: the connection is established, tries another backend, or has ended.</summary>
    public void CountLetGo()
    {
        Interlocked.Decrement(ref _connecting);
        PoolState.CountLetGo();
    }

    /// <summary>Counts a connection that the backend ended within a second without a byte.</summary>
    internal void CountEndedAtOnce(Instant now) => _endedAtOnce.Add(now);

    /// <summary>A connection is established, and counts as a successful connect once it has lasted for the limit.</summary>
    /// <returns>The event to report to the control plane.</returns>
    internal PassiveHealthEvent EnterProbation(Instant now, TimeSpan limit) =>
        _probation.Enter(now, limit) ? Connects.CountSucceeded(trial: 0) : PassiveHealthEvent.None;

    /// <summary>A connection has ended before it lasted for the limit.</summary>
    /// <returns>The event to report to the control plane.</returns>
    internal PassiveHealthEvent LeaveProbation(Instant establishedAt, Instant now, TimeSpan limit) =>
        _probation.Leave(establishedAt, now, limit) ? Connects.CountSucceeded(trial: 0) : PassiveHealthEvent.None;

    public void CountEstablished()
    {
        Interlocked.Increment(ref _active);
        PoolState.CountEstablished();
    }

    /// <summary>Counts an established connection that moved to another engine.</summary>
    public void CountLeft()
    {
        Interlocked.Decrement(ref _active);
        PoolState.CountEnded();
    }

    public void CountClosed(CloseReason reason)
    {
        CountLeft();
        Closed.Count(reason);
    }

    /// <summary>The byte counters of one worker. Only that worker may call <see cref="RelayedBytes.Add"/>; any thread may read.</summary>
    public RelayedBytes Traffic(int worker)
    {
        RelayedBytes[] relayed = Volatile.Read(ref _relayed);
        while (worker >= relayed.Length)
        {
            var grown = new RelayedBytes[worker + 1];
            relayed.CopyTo(grown, 0);
            for (int i = relayed.Length; i < grown.Length; i++)
            {
                grown[i] = new RelayedBytes();
            }

            RelayedBytes[] before = Interlocked.CompareExchange(ref _relayed, grown, relayed);
            relayed = before == relayed ? grown : before;
        }

        return relayed[worker];
    }
}
