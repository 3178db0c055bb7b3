using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Decides which backends of a pool may take one more connection: their own limit, the bound on their load, and slow start; while the pool
/// is rebalanced, only backends below their target.
/// </summary>
/// <param name="states">By backend index.</param>
/// <param name="halfOpen">By backend index: whether the backend is down and one trial connection is let through; null: none.</param>
/// <param name="ramps">By backend index: how many of 2^64 hash values are admitted.</param>
internal sealed class PoolAdmission(
    ImmutableArray<Backend> backends, BackendState[] states, PoolState pool, bool[]? halfOpen, ulong[] ramps, double boundedLoad, int availableWeight,
    bool onlyLimits = false) : IAdmission
{
    /// <summary>Whether new connections go to backends below their target, whatever else is configured.</summary>
    public bool IsRebalancing => pool.Targets is not null;

    /// <summary>The same limits of connections, without the other rules.</summary>
    public PoolAdmission OnlyLimits() => new(backends, states, pool, halfOpen, ramps, boundedLoad, availableWeight, onlyLimits: true);

    public bool Admits(int member, ulong hash) => HasRoom(member)
        && (onlyLimits || (pool.Targets is { } targets ? IsMissing(member, targets) : IsWithinBound(member) && IsRampedUp(member, hash)));

    public bool IsHalfOpen(int member) => halfOpen is not null && halfOpen[member];

    /// <summary>
    /// Whether the backend's own limit permits it; pending connects count, or a burst would exceed it. A half-open backend has room for
    /// one.
    /// </summary>
    public bool HasRoom(int member)
    {
        if (IsHalfOpen(member) && !states[member].Connects.IsTrialFree)
        {
            return false;
        }

        int most = backends[member].Settings.MaxConnections;
        return most == 0 || states[member].Load < most;
    }

    // A backend that was added after the plan was made is not in it.
    private bool IsMissing(int member, IReadOnlyDictionary<BackendState, int> targets) =>
        targets.TryGetValue(states[member], out int target) && states[member].Load < target;

    // Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016): no backend holds more than boundedLoad times its share
    // of what the pool will hold including this connection. Connects in progress count on both sides: in a burst of clients the backends
    // may be slow to accept, and a bound on established connections alone would let all of them through.
    private bool IsWithinBound(int member)
    {
        if (boundedLoad == 0)
        {
            return true;
        }

        double share = (double)backends[member].Weight / availableWeight;
        return states[member].Load + 1 <= Math.Ceiling(boundedLoad * (pool.Load + 1) * share);
    }

    private bool IsRampedUp(int member, ulong hash) => Mix.Admits(Volatile.Read(ref ramps[member]), hash, member);
}
