using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>The state in force at one moment; a reader that takes the object once gets consistent parts.</summary>
/// <param name="Desired">The input of the snapshot, with the modes that were set in it since.</param>
/// <param name="Snapshot">The snapshot that the engine uses.</param>
internal sealed record ActiveConfig(DesiredState Desired, RoutingSnapshot Snapshot)
{
    public BalancerConfig Config => Desired.File;

    /// <summary>Null if there is no such backend.</summary>
    public (Pool Pool, Backend Backend)? Find(string pool, string backend)
    {
        Pool? found = Snapshot.Pools.FirstOrDefault(p => p.Name == pool);
        Backend? member = found?.Backends.FirstOrDefault(b => b.Name == backend);
        return member is null ? null : (found!, member);
    }

    /// <summary>The backends of this name that have left the configuration and still have connections, or will in a moment.</summary>
    public IReadOnlyList<BackendState> FindRemoved(string pool, string backend) =>
        [.. Snapshot.Removed.Backends.Where(b => b.Name == backend && b.State.Pool == pool && b.State.Load > 0).Select(b => b.State)];
}
