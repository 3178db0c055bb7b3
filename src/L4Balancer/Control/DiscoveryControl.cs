using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Discovery;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Brings the sets that are believed into the desired state: several changes together, without the backends that cannot be used. Only the
/// control loop calls it, except for <see cref="Changed"/> and <see cref="Of"/>.
/// </summary>
internal sealed class DiscoveryControl : IDisposable
{
    /// <summary>
    /// How long what operators set for a backend is kept while its source does not have it: over a restart of the backend, but not until its
    /// address belongs to another one.
    /// </summary>
    internal static readonly TimeSpan KeepOverrides = TimeSpan.FromMinutes(10);

    /// <summary>Between two attempts to put in force what is believed.</summary>
    internal static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly DiscoveryService _service;
    private readonly Func<IEnumerable<ListenerSettings>, OwnListeners> _ownOf;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private readonly ITimer _again;
    private readonly Dictionary<(string Pool, string Backend), Instant> _absentSince = [];
    private Settling _settling;
    private HashSet<(string Pool, Endpoint Address)> _refused = [];

    /// <param name="ownOf">The addresses that this host listens on with some listeners.</param>
    /// <param name="settled">Called a moment after a change, on any thread.</param>
    public DiscoveryControl(
        DiscoveryService service, Func<IEnumerable<ListenerSettings>, OwnListeners> ownOf, TimeProvider clock, ILogger log, Action settled)
    {
        _service = service;
        _ownOf = ownOf;
        _clock = clock;
        _log = log;
        _timer = clock.CreateTimer(_ => settled(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _again = clock.CreateTimer(_ => settled(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Another set is believed. Any thread; never blocks.</summary>
    public void Changed()
    {
        lock (_gate)
        {
            Instant now = Instant.Now(_clock);
            if (_settling.Change(now) is { } due)
            {
                _timer.Change(due - now, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        _again.Dispose();
    }

    /// <inheritdoc cref="DiscoveryService.Of"/>
    public DiscoveryStatus? Of(string pool) => _service.Of(pool);

    /// <inheritdoc cref="DiscoveryService.Follow"/>
    public void Follow(BalancerConfig inForce, IReadOnlyDictionary<string, Belief> inUse) => _service.Follow(inForce, inUse);

    /// <summary>
    /// What pools have now that get a source by a configuration, or whose source has said nothing yet: by pool, without the backends that the
    /// configuration itself has, and those that no source could have.
    /// </summary>
    public IReadOnlyDictionary<string, Belief> InUse(RoutingSnapshot snapshot, BalancerConfig config)
    {
        Dictionary<string, Belief> inUse = [];
        foreach (PoolSettings pool in config.Pools.Where(p => p.Discovery is not null && _service.Of(p.Name)?.Belief.Set is null))
        {
            HashSet<string> names = [.. pool.Backends.Select(static b => b.Name)];
            HashSet<Endpoint> addresses = [.. pool.Backends.Select(static b => b.Endpoint).OfType<Endpoint>()];
            IEnumerable<Backend> before = snapshot.Pools.FirstOrDefault(p => p.Name == pool.Name)?.Backends.AsEnumerable() ?? [];
            Belief belief = Belief.Of([.. before
                .Where(b => b.IsResolved && !b.Endpoint.IsUnix && !names.Contains(b.Name) && !addresses.Contains(b.Endpoint))
                .Take(PoolSettings.MostBackends - pool.Backends.Length)
                .Select(static b => new DiscoveredBackend(b.Endpoint)
                {
                    Name = b.Name,
                    Weight = b.Settings.Weight,
                    Backup = b.Settings.Backup,
                    MaxConnections = b.Settings.MaxConnections,
                    PublicUrl = b.Settings.PublicUrl,
                })]);
            if (belief.Count > 0)
            {
                inUse.Add(pool.Name, belief);
            }
        }

        return inUse;
    }

    /// <summary>What is discovered now for this configuration; the same object if nothing has changed.</summary>
    /// <param name="inUse">What holds for pools of which nothing is believed.</param>
    public Discovered After(Discovered before, BalancerConfig config, IReadOnlyDictionary<string, Belief>? inUse = null)
    {
        IReadOnlyDictionary<string, ImmutableArray<DiscoveredBackend>> believed = _service.Believed;
        if (inUse is { Count: > 0 })
        {
            believed = believed.Concat(inUse.Where(i => !believed.ContainsKey(i.Key)).Select(i => KeyValuePair.Create(i.Key, i.Value.Set!.Value)))
                .ToDictionary();
        }

        return before.After(config, believed, _ownOf(config.Listeners));
    }

    /// <summary>The state with all that is believed now.</summary>
    public DesiredState Apply(DesiredState before)
    {
        lock (_gate)
        {
            _settling.Settled(Instant.Now(_clock));
        }

        DesiredState current = before with { Overrides = Remembered(before) };
        DesiredState after = current with { Discovered = After(before.Discovered, before.File) };
        _ = Remembered(after);
        return after;
    }

    /// <summary>What is believed could not be put in force: tries again after a while, unless something changes before.</summary>
    public void TryAgain() => _again.Change(Retry, Timeout.InfiniteTimeSpan);

    /// <summary>Logs which backends are not used: each one once, until it disappears.</summary>
    public void Complain(Discovered now)
    {
        HashSet<(string, Endpoint)> refused = [];
        foreach (RefusedBackend backend in now.Refused)
        {
            if (refused.Add((backend.Pool, backend.Address)) && !_refused.Contains((backend.Pool, backend.Address)))
            {
                _log.DiscoveredNotUsed(backend.Pool, backend.Address.ToString(), backend.Why);
            }
        }

        _refused = refused;
    }

    // Notes which backends with an override are away, and drops the overrides of those that were for too long.
    private BackendOverrides Remembered(DesiredState desired)
    {
        Instant now = Instant.Now(_clock);
        HashSet<(string, string)> present = [.. desired.Pools.SelectMany(static p => p.Backends.Select(b => (p.Name, b.Name)))];
        BackendOverrides kept = desired.Overrides;
        foreach ((string pool, string backend, _) in desired.Overrides.All)
        {
            if (present.Contains((pool, backend)))
            {
                _absentSince.Remove((pool, backend));
            }
            else if (_absentSince.TryAdd((pool, backend), now) || now - _absentSince[(pool, backend)] < KeepOverrides)
            {
                continue;
            }
            else
            {
                _absentSince.Remove((pool, backend));
                kept = kept.With(pool, backend, default);
                _log.OverrideForgotten(pool, backend, Duration.Format(KeepOverrides));
            }
        }

        return kept;
    }
}
