using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Applies and logs changes of host name resolution, and which backends are down because they have no address. Only the control loop calls
/// it, except for <see cref="Changed"/>, <see cref="LookUp"/> and <see cref="SelfConnects"/>.
/// </summary>
internal sealed class NameControl : ISnapshotParticipant, IDisposable
{
    /// <summary>Answers that arrive within this time are combined into one snapshot.</summary>
    internal static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// The interval between snapshots while answers keep arriving: if name servers answer a thousand names one after the other, the rings
    /// must not be rebuilt twenty times a second.
    /// </summary>
    internal static readonly TimeSpan SettleInStorm = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly BackendNames _names;
    private readonly Action<Pool> _tellIfDead;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Action _settled;
    private readonly ITimer _timer;
    private Instant _settledAt;
    private bool _isStorm;
    private bool _isSettling;

    /// <param name="tellIfDead">Called for a pool that may have no available backend left; logs if that is so.</param>
    /// <param name="settled">Called a moment after a change, on any thread.</param>
    public NameControl(BackendNames names, Action<Pool> tellIfDead, TimeProvider clock, ILogger log, Action settled)
    {
        _names = names;
        _tellIfDead = tellIfDead;
        _clock = clock;
        _log = log;
        _settled = settled;
        _timer = clock.CreateTimer(_ => Settled(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Reports that an answer differs from the one before. Any thread; never blocks.</summary>
    public void Changed()
    {
        lock (_gate)
        {
            if (!_isSettling)
            {
                _isSettling = true;
                bool goesOn = _isStorm && Instant.Now(_clock) - _settledAt < SettleInStorm;
                _timer.Change(goesOn ? SettleInStorm : Settle, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>Resolves the names of a configuration that may come into force, and waits a moment for new ones. Blocks.</summary>
    public void LookUp(BalancerConfig config) => _names.PrepareAsync(config).GetAwaiter().GetResult();

    /// <inheritdoc cref="BackendNames.SelfConnects"/>
    public ImmutableArray<string> SelfConnects(BalancerConfig config) => _names.SelfConnects(config);

    /// <summary>A reload has ended: keeps the names of this configuration, which is in force, and drops others that were prepared.</summary>
    public void Keep(BalancerConfig inForce) => _names.Keep(inForce);

    /// <summary>The current resolutions of this configuration; the same object if nothing has changed.</summary>
    public Resolutions After(Resolutions before, BalancerConfig config) => _names.After(before, config);

    /// <summary>Logs which addresses have changed, and which backends have none.</summary>
    public void Commit(RoutingSnapshot? before, RoutingSnapshot now)
    {
        OwnListeners own = _names.OwnOf(now.Listeners.Select(l => l.Settings));
        _names.Complain(now.Pools.Select(p => p.Settings));
        _names.ComplainOfOwn(now.Pools, own);
        IReadOnlyDictionary<string, NameAnswer> answers = _names.Answers;
        Dictionary<string, Pool> poolsBefore = before?.Pools.ToDictionary(p => p.Name) ?? [];
        foreach (Pool pool in now.Pools)
        {
            Dictionary<BackendState, Backend> known =
                poolsBefore.GetValueOrDefault(pool.Name)?.Backends.ToDictionary(b => b.State) ?? [];
            foreach (Backend backend in pool.Backends)
            {
                if (backend.Settings.Host is not { } name)
                {
                    // The file may have had a host name for the same address before.
                    backend.State.NameFault = "";
                    continue;
                }

                NameAnswer? answer = answers.GetValueOrDefault(name.Host);
                backend.State.NameFault = answer?.Fault ?? NameAnswer.Awaited.Fault;
                Backend? old = known.GetValueOrDefault(backend.State);
                if (!backend.IsResolved)
                {
                    OwnListener? listener = BackendNames.OwnListenerOf(pool, backend, own, answer);
                    Miss(pool, backend, Resolutions.WhyNone(answer, listener), isNew: old is null or { IsResolved: true });
                }
                else if (old?.Endpoint != backend.Endpoint)
                {
                    _log.BackendResolved(pool.Name, backend.Name, backend.Settings.Address, backend.Endpoint.ToString());
                    if (old is { IsResolved: false })
                    {
                        Find(pool, backend);
                    }
                }
            }

            // Also where it is the file, or a weight set at run time, that leaves no backend.
            _tellIfDead(pool);
        }
    }

    private void Settled()
    {
        lock (_gate)
        {
            Instant now = Instant.Now(_clock);
            _isStorm = now - _settledAt <= SettleInStorm + SettleInStorm;
            _settledAt = now;
            _isSettling = false;
        }

        _settled();
    }

    // A backend without an address is not probed, so the transition is recorded and logged here.
    private void Miss(Pool pool, Backend backend, string why, bool isNew)
    {
        backend.State.Health.Detail = why;
        if (isNew)
        {
            backend.State.Health.CountTransition(Instant.Now(_clock));
            _log.BackendDown(pool.Name, backend.Name, backend.Settings.Address, why);
        }
    }

    // Probes decide on the new address; without probes the backend is up at once.
    private void Find(Pool pool, Backend backend)
    {
        HealthCounters health = backend.State.Health;
        if (pool.HealthOf(backend.Index) != HealthState.Up)
        {
            return;
        }

        health.Detail = "";
        health.CountTransition(Instant.Now(_clock));
        _log.BackendUp(pool.Name, backend.Name, backend.Settings.Address);
    }
}
