using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Accounting;

/// <summary>
/// What happened at one backend of one pool. Kept by pool, name and address from snapshot to snapshot, so that counts survive a
/// reload. Any thread may call anything here, but for <see cref="Traffic"/>, which says its own rule.
/// </summary>
/// <param name="pool">Counts along.</param>
public sealed class BackendCell(PoolCell pool, string name)
{
    private int _active;
    private int _connecting;
    private long _connectAttempts;
    private long _nextTurn;
    private RelayedBytes[] _relayed = [];

    public string Pool { get; } = pool.Name;

    /// <summary>The pool that it counts for; it is kept as long as one of its backends is.</summary>
    internal PoolCell PoolCell { get; } = pool;

    public string Name { get; } = name;

    /// <summary>Established connections.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Established, and those for which a connect is under way.</summary>
    public int Load => Volatile.Read(ref _active) + Volatile.Read(ref _connecting);

    public long ConnectAttempts => Volatile.Read(ref _connectAttempts);

    public ReasonCounters ConnectFailures { get; } = new();

    public ReasonCounters Closed { get; } = new();

    /// <summary>Established connections that we have begun to close at a pace, whatever became of them.</summary>
    public ReasonCounters Shed { get; } = new();

    /// <summary>Established connections that nobody has begun to close at a pace.</summary>
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

    /// <summary>What the connects of clients say of it.</summary>
    public ConnectHealth Connects { get; } = new();

    /// <summary>Bytes written to the backend, over all workers; a moment's value that never goes back.</summary>
    public long BytesToBackend
    {
        get
        {
            long sum = 0;
            foreach (RelayedBytes relayed in Volatile.Read(ref _relayed))
            {
                sum += relayed.ToBackend;
            }

            return sum;
        }
    }

    /// <summary>Bytes written to clients, over all workers; a moment's value that never goes back.</summary>
    public long BytesToClient
    {
        get
        {
            long sum = 0;
            foreach (RelayedBytes relayed in Volatile.Read(ref _relayed))
            {
                sum += relayed.ToClient;
            }

            return sum;
        }
    }

    public void CountConnectAttempt() => Interlocked.Increment(ref _connectAttempts);

    /// <summary>A connection has picked this backend; it is told of the end of that by <see cref="CountLetGo"/>.</summary>
    public void CountPicked() => Interlocked.Increment(ref _connecting);

    /// <summary>
    /// Takes the next turn of those that <c>new_connection_rate</c> spaces out: whoever asks first has the earlier one (generic cell rate
    /// algorithm, ITU-T I.371, in one word). A turn that is not used is lost.
    /// </summary>
    /// <param name="between">The space between two turns; zero: no limit.</param>
    /// <param name="until">No turn later than this is taken.</param>
    /// <param name="turn">When it is; now at the earliest.</param>
    /// <returns>False where the queue is longer than that.</returns>
    public bool TryReserve(Instant now, TimeSpan between, Instant until, out Instant turn)
    {
        turn = now;
        if (between <= TimeSpan.Zero)
        {
            return true;
        }

        // With the turn that is due now no more come at once than belong to the slack: see Pace.
        long earliest = now.Ticks - Math.Max(0, (Pace.Slack - between).Ticks);
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

    /// <summary>The connection is established, tries another backend, or is over.</summary>
    public void CountLetGo() => Interlocked.Decrement(ref _connecting);

    public void CountEstablished()
    {
        Interlocked.Increment(ref _active);
        PoolCell.CountEstablished();
    }

    /// <summary>An established connection went to another engine.</summary>
    public void CountLeft()
    {
        Interlocked.Decrement(ref _active);
        PoolCell.CountEnded();
    }

    public void CountClosed(CloseReason reason)
    {
        CountLeft();
        Closed.Count(reason);
    }

    /// <summary>The byte counters of one worker: only that worker may add with the plain methods, any thread may read.</summary>
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
