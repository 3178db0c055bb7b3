using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Control;

/// <summary>
/// Backends that have come up a moment ago, and how large a share of their connections they get by now. Only the one writer calls it.
/// </summary>
internal sealed class SlowStarts : IAsyncDisposable
{
    /// <summary>Nobody begins with nothing, or the first connection would tell nothing.</summary>
    private const double FirstShare = 0.01;

    /// <summary>How often a growing share is set anew.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<BackendCell, Instant> _since = [];
    private readonly TimeProvider _clock;
    private readonly Func<RoutingSnapshot> _snapshot;
    private readonly ITimer _timer;

    /// <param name="snapshot">The one in force.</param>
    /// <param name="post">How the one writer is called from elsewhere.</param>
    public SlowStarts(Func<RoutingSnapshot> snapshot, TimeProvider clock, Action<Action> post)
    {
        _snapshot = snapshot;
        _clock = clock;
        _timer = clock.CreateTimer(_ => post(Grow), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>From now on its share grows. To be called before it takes connections, or it has all of them for a moment.</summary>
    public void Begin(BackendCell backend)
    {
        _since[backend] = Instant.Now(_clock);
        Grow();
    }

    /// <summary>
    /// The backends that are in this snapshot and were not in the one before, or were not up in it: by a name that had no address, by
    /// probes that are switched off. What is down must be marked in it.
    /// </summary>
    public void BeginNew(RoutingSnapshot before, RoutingSnapshot now)
    {
        HashSet<BackendCell> known = [.. before.Pools.SelectMany(p => p.Backends, (p, b) => (Pool: p, Backend: b))
            .Where(m => m.Pool.HealthOf(m.Backend.Index) == HealthState.Up).Select(m => m.Backend.Cell)];
        foreach (Pool pool in now.Pools)
        {
            foreach (Backend backend in pool.Backends.Where(b => pool.HealthOf(b.Index) == HealthState.Up && !known.Contains(b.Cell)))
            {
                _since[backend.Cell] = Instant.Now(_clock);
            }
        }
    }

    /// <summary>Sets everybody's share as it is now, in a snapshot that may still be dropped.</summary>
    public void SetShares(RoutingSnapshot snapshot) => Still(snapshot);

    /// <summary>
    /// Sets everybody's share as it is now, and goes on to while somebody's grows; who has all of it is forgotten, and so is who has left.
    /// </summary>
    public void Grow()
    {
        Dictionary<BackendCell, Instant> still = Still(_snapshot());
        _since.Clear();
        foreach ((BackendCell cell, Instant since) in still)
        {
            _since.Add(cell, since);
        }

        if (still.Count > 0)
        {
            _timer.Change(Step, Timeout.InfiniteTimeSpan);
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private Dictionary<BackendCell, Instant> Still(RoutingSnapshot snapshot)
    {
        Dictionary<BackendCell, Instant> still = [];
        Instant now = Instant.Now(_clock);
        foreach (Pool pool in snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                if (!_since.TryGetValue(backend.Cell, out Instant since))
                {
                    continue;
                }

                double share = pool.Settings.SlowStart > TimeSpan.Zero ? (now - since) / pool.Settings.SlowStart : 1;
                pool.SetRamp(backend.Index, Math.Max(share, FirstShare));
                if (share < 1)
                {
                    still.Add(backend.Cell, since);
                }
            }
        }

        return still;
    }
}
