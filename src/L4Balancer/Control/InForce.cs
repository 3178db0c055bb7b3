using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>What is in force at one moment. The one writer puts another in its place; whoever reads it once has what belongs together.</summary>
/// <param name="Config">The file, but for what needs a restart.</param>
/// <param name="Snapshot">The one that the engine runs.</param>
/// <param name="Overrides">What operators have set at run time.</param>
internal sealed record InForce(BalancerConfig Config, RoutingSnapshot Snapshot, BackendOverrides Overrides)
{
    /// <summary>Null where there is no such backend.</summary>
    public (Pool Pool, Backend Backend)? Find(string pool, string backend)
    {
        Pool? found = Snapshot.Pools.FirstOrDefault(p => p.Name == pool);
        Backend? member = found?.Backends.FirstOrDefault(b => b.Name == backend);
        return member is null ? null : (found!, member);
    }
}
