using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Control;

/// <summary>
/// Backends that have come up a moment ago, and how large a share of their connections they get by now. Only the control loop calls it.
/// </summary>
internal sealed class SlowStarts : ISnapshotParticipant, IAsyncDisposable
{
    /// <summary>A share of nothing would tell nothing about the backend.</summary>
    private const double FirstShare = 0.01;

    /// <summary>How often a growing share is set anew.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private RoutingSnapshot _snapshot;
    private Dictionary<BackendCell, Instant> _since = [];

    // Those of the snapshot that is being published.
    private Dictionary<BackendCell, Instant> _prepared = [];

    /// <param name="first">The snapshot in force: its backends have their whole share.</param>
    /// <param name="tick">Called when <see cref="Grow"/> is due, on any thread.</param>
    public SlowStarts(RoutingSnapshot first, Action tick, TimeProvider clock)
    {
        _snapshot = first;
        _clock = clock;
        _timer = clock.CreateTimer(_ => tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Its share grows from now on. To be called before the backend takes connections, or it has all of them for a moment.</summary>
    public void Begin(BackendCell backend)
    {
        _since[backend] = Instant.Now(_clock);
        Grow();
    }

    /// <summary>
    /// Begins with the backends that are up in the next snapshot and are not in the one in force, or not up there: their name had no address,
    /// or their probes are switched off. What is down must be marked in it.
    /// </summary>
    public void Prepare(RoutingSnapshot next)
    {
        HashSet<BackendCell> known = [.. Up(_snapshot)];
        _prepared = new Dictionary<BackendCell, Instant>(_since);
        foreach (BackendCell risen in Up(next).Where(b => !known.Contains(b)))
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
    /// Sets every share as it is by now, and continues while any of them grows. A backend that has its whole share is forgotten, and so is
    /// one that has left.
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

    private static IEnumerable<BackendCell> Up(RoutingSnapshot snapshot) => snapshot.Pools.SelectMany(
        p => p.Backends.Where(b => p.HealthOf(b.Index) == HealthState.Up), (_, b) => b.Cell);

    /// <returns>Those whose share still grows.</returns>
    private Dictionary<BackendCell, Instant> SetShares(RoutingSnapshot snapshot, Dictionary<BackendCell, Instant> since)
    {
        Dictionary<BackendCell, Instant> growing = [];
        Instant now = Instant.Now(_clock);
        foreach (Pool pool in snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                if (!since.TryGetValue(backend.Cell, out Instant start))
                {
                    continue;
                }

                double share = pool.Settings.SlowStart > TimeSpan.Zero ? (now - start) / pool.Settings.SlowStart : 1;
                pool.SetRamp(backend.Index, Math.Max(share, FirstShare));
                if (share < 1)
                {
                    growing.Add(backend.Cell, start);
                }
            }
        }

        return growing;
    }
}
