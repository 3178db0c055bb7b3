using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Control;

/// <summary>The backends in slow start, and the growing share of their connections that they get. Only the control loop calls it.</summary>
internal sealed class SlowStarts : ISnapshotParticipant, IAsyncDisposable
{
    /// <summary>The first share; with a share of zero the backend would get no connections that show whether it works.</summary>
    private const double FirstShare = 0.01;

    /// <summary>The interval at which growing shares are updated.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private RoutingSnapshot _snapshot;
    private Dictionary<BackendState, Instant> _since = [];

    // The start times for the snapshot that is being published.
    private Dictionary<BackendState, Instant> _prepared = [];

    /// <param name="first">The snapshot in force: its backends have their full share.</param>
    /// <param name="tick">Called on any thread when <see cref="Grow"/> is due.</param>
    public SlowStarts(RoutingSnapshot first, Action tick, TimeProvider clock)
    {
        _snapshot = first;
        _clock = clock;
        _timer = clock.CreateTimer(_ => tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// Begins the slow start of a backend. Must be called before the backend takes connections, or it gets its full share for a moment.
    /// </summary>
    public void Begin(BackendState backend)
    {
        _since[backend] = Instant.Now(_clock);
        Grow();
    }

    /// <summary>The backends in slow start, and when each began it.</summary>
    public IEnumerable<(string Pool, string Backend, Instant Since)> Known() => _since.Select(static s => (s.Key.Pool, s.Key.Name, s.Value));

    /// <summary>Goes on with the slow starts of another process.</summary>
    public void Continue(IEnumerable<(string Pool, string Backend, Instant Since)> known)
    {
        Dictionary<(string, string), BackendState> states = [];
        foreach (BackendState state in _snapshot.Pools.SelectMany(static p => p.Backends, static (_, b) => b.State))
        {
            states.TryAdd((state.Pool, state.Name), state);
        }

        foreach ((string pool, string backend, Instant since) in known)
        {
            if (states.TryGetValue((pool, backend), out BackendState? state))
            {
                _since[state] = since;
            }
        }

        Grow();
    }

    /// <summary>
    /// Begins the slow start of backends that are up in the next snapshot, but absent or not up in the one in force: their name had no
    /// address, or their probes were switched off. Backends that are down must already be marked in it.
    /// </summary>
    public void Prepare(RoutingSnapshot next)
    {
        HashSet<BackendState> known = [.. Up(_snapshot)];
        _prepared = new Dictionary<BackendState, Instant>(_since);
        foreach (BackendState risen in Up(next).Where(b => !known.Contains(b)))
        {
            _prepared[risen] = Instant.Now(_clock);
        }

        SetShares(next, _prepared);
    }

    public void Commit(RoutingSnapshot? before, RoutingSnapshot now)
    {
        _snapshot = now;
        _since = _prepared;
        Grow();
    }

    /// <summary>
    /// Updates every share, and repeats while any of them grows. A backend that has its full share is removed, and so is one that has left.
    /// </summary>
    public void Grow()
    {
        _since = SetShares(_snapshot, _since);
        if (_since.Count > 0)
        {
            _timer.Change(Step, Timeout.InfiniteTimeSpan);
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private static IEnumerable<BackendState> Up(RoutingSnapshot snapshot) => snapshot.Pools.SelectMany(
        p => p.Backends.Where(b => p.HealthOf(b.Index) == HealthState.Up), (_, b) => b.State);

    /// <returns>The backends whose share still grows.</returns>
    private Dictionary<BackendState, Instant> SetShares(RoutingSnapshot snapshot, Dictionary<BackendState, Instant> since)
    {
        Dictionary<BackendState, Instant> growing = [];
        Instant now = Instant.Now(_clock);
        foreach (Pool pool in snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                if (!since.TryGetValue(backend.State, out Instant start))
                {
                    continue;
                }

                double share = pool.Settings.SlowStart > TimeSpan.Zero ? (now - start) / pool.Settings.SlowStart : 1;
                pool.SetRamp(backend.Index, Math.Max(share, FirstShare));
                if (share < 1)
                {
                    growing.Add(backend.State, start);
                }
            }
        }

        return growing;
    }
}
