using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Says what host names have come to stand for, and which backends are down for want of an address. Only the one writer calls it, but for
/// <see cref="Changed"/> and <see cref="Prepare"/>.
/// </summary>
internal sealed class NameControl : IDisposable
{
    /// <summary>Answers that come together make one snapshot.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(50);

    private readonly BackendNames _names;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly ITimer _settled;
    private int _isSettling;

    /// <param name="settled">Called a moment after a change, from any thread.</param>
    public NameControl(BackendNames names, TimeProvider clock, ILogger log, Action settled)
    {
        _names = names;
        _clock = clock;
        _log = log;
        _settled = clock.CreateTimer(
            _ =>
            {
                Volatile.Write(ref _isSettling, 0);
                settled();
            },
            null,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
    }

    /// <summary>An answer is another than before. Any thread; never blocks.</summary>
    public void Changed()
    {
        if (Interlocked.Exchange(ref _isSettling, 1) == 0)
        {
            _settled.Change(Settle, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose() => _settled.Dispose();

    /// <summary>
    /// Looks the names of a configuration up that may come into force, and waits a moment for new ones: for a thread that may block.
    /// </summary>
    public void Prepare(BalancerConfig config) => _names.PrepareAsync(config).GetAwaiter().GetResult();

    /// <summary>A reload has ended: whatever was prepared, this is in force.</summary>
    public void Keep(BalancerConfig inForce) => _names.Keep(inForce);

    /// <summary>What the names of this configuration stand for now; the very same where nothing has changed.</summary>
    public Resolutions After(Resolutions before, BalancerConfig config) => _names.After(before, config);

    /// <summary>A snapshot is in force.</summary>
    /// <param name="before">The one before it; null at the start.</param>
    /// <returns>Backends that have an address now and had none.</returns>
    public IReadOnlyList<Backend> Follow(RoutingSnapshot? before, BalancerConfig config, RoutingSnapshot now)
    {
        _names.Complain(config);
        List<Backend> found = [];
        foreach (Pool pool in now.Pools)
        {
            Pool? then = before?.Pools.FirstOrDefault(p => p.Name == pool.Name);
            Dictionary<BackendCell, Backend> known = then?.Backends.ToDictionary(b => b.Cell) ?? [];
            foreach (Backend backend in pool.Backends)
            {
                if (backend.Settings.Host is null)
                {
                    continue;
                }

                Backend? old = known.GetValueOrDefault(backend.Cell);
                if (backend.IsResolved && old?.Endpoint != backend.Endpoint)
                {
                    _log.BackendResolved(pool.Name, backend.Name, backend.Settings.Address, backend.Endpoint.ToString());
                    if (old is { IsResolved: false })
                    {
                        found.Add(backend);
                    }
                }
                else if (!backend.IsResolved)
                {
                    Miss(pool, backend, isNew: old is null or { IsResolved: true });
                }
            }
        }

        return found;
    }

    // It is not probed, so that what a probe would say is said here.
    private void Miss(Pool pool, Backend backend, bool isNew)
    {
        string why = _names.WhyNone(backend.Settings);
        backend.Cell.Health.Last = new LastProbe(Instant.Now(_clock), ProbeOutcome.Failure, why);
        if (!isNew)
        {
            return;
        }

        _log.BackendDown(pool.Name, backend.Name, backend.Settings.Address, why);
        if (!pool.Backends.Any(b => pool.Takes(b.Index)))
        {
            _log.PoolDead(pool.Name);
        }
    }
}
