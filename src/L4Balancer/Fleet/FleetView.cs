using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Fleet;

/// <summary>
/// Makes what this balancer publishes of itself. The hashes are computed once for each configuration and pool. One thread at a time.
/// </summary>
/// <param name="addresses">The public addresses in a configuration.</param>
internal sealed class FleetView(FleetMember self, Func<ActiveConfig> now, Func<BalancerConfig, ImmutableArray<string>> addresses, Func<bool> isReady)
{
    private readonly ConditionalWeakTable<Pool, string> _rings = [];
    private FleetMember _self = self;
    private BalancerConfig? _config;
    private string _hash = "";

    /// <summary>This process goes on as the instance of the one before it.</summary>
    public void GoOnAs(string instance) => _self = _self with { Instance = instance };

    public FleetMember Current()
    {
        ActiveConfig active = now();
        if (!ReferenceEquals(active.Config, _config))
        {
            (_config, _hash) = (active.Config, ConfigHash.Of(active.Config));
        }

        return _self with
        {
            Configuration = _hash,
            Rings = FleetMember.NoRings.AddRange(active.Snapshot.Pools.Select(p => KeyValuePair.Create(p.Name, RingOf(p)))),
            Health = FleetMember.NoHealth.AddRange(
                active.Snapshot.Pools.Select(static p => KeyValuePair.Create(p.Name, HealthOf(p))).Where(static p => p.Value.Count > 0)),
            Addresses = addresses(active.Config),
            IsReady = isReady(),
        };
    }

    private string RingOf(Pool pool) =>
        _rings.GetValue(pool, static p => p.HashOfTables().ToString("x16", CultureInfo.InvariantCulture));

    private static ImmutableSortedDictionary<string, HealthState> HealthOf(Pool pool) => FleetMember.NoBackends.AddRange(
        from backend in pool.Backends
        let state = backend.IsResolved ? backend.State.Health.ByProbes : null
        where state is not null && state != HealthState.Checking
        select KeyValuePair.Create(backend.Name, state.Value));
}
