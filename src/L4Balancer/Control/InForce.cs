using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>What is in force at one moment: whoever reads it once has parts that belong together.</summary>
/// <param name="Desired">What the snapshot was built from, with the modes that were set in it since.</param>
/// <param name="Snapshot">The one that the engine uses.</param>
internal sealed record InForce(DesiredState Desired, RoutingSnapshot Snapshot)
{
    public BalancerConfig Config => Desired.File;

    /// <summary>Null where there is no such backend.</summary>
    public (Pool Pool, Backend Backend)? Find(string pool, string backend)
    {
        Pool? found = Snapshot.Pools.FirstOrDefault(p => p.Name == pool);
        Backend? member = found?.Backends.FirstOrDefault(b => b.Name == backend);
        return member is null ? null : (found!, member);
    }
}
