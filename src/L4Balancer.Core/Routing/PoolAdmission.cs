using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Which backends of a pool may take one more connection: their own limit, the bound on their load, their slow start; and while the
/// pool is rebalanced, who holds too few.
/// </summary>
/// <param name="cells">By backend index.</param>
/// <param name="onTrial">By backend index: of those that are down, which one connection is let through to; null: nobody.</param>
/// <param name="ramps">By backend index: of 2^64 hashes so many are let in.</param>
internal sealed class PoolAdmission(
    ImmutableArray<Backend> backends, BackendCell[] cells, PoolCell pool, bool[]? onTrial, ulong[] ramps, double boundedLoad, int livingWeight) : IAdmission
{
    /// <summary>Whether new connections go to those that hold too few, whatever else is configured.</summary>
    public bool IsRebalancing => pool.Targets is not null;

    public bool Admits(int member, ulong hash) => HasRoom(member)
        && (pool.Targets is { } targets ? IsMissing(member, targets) : IsWithinBound(member) && IsRampedUp(member, hash));

    public bool IsOnTrial(int member) => onTrial is not null && onTrial[member];

    /// <summary>
    /// Whether the backend's own limit lets it; connects under way count, or a burst would go past it. One that is on trial has room for
    /// one.
    /// </summary>
    public bool HasRoom(int member)
    {
        if (IsOnTrial(member) && !cells[member].Connects.IsTrialFree)
        {
            return false;
        }

        int most = backends[member].Settings.MaxConnections;
        return most == 0 || cells[member].Load < most;
    }

    // A backend that came after the plan was made is not in it.
    private bool IsMissing(int member, IReadOnlyDictionary<BackendCell, int> targets) =>
        targets.TryGetValue(cells[member], out int target) && cells[member].Load < target;

    // Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016): nobody holds more than so many times its share of
    // what the pool will hold with this connection.
    private bool IsWithinBound(int member)
    {
        if (boundedLoad == 0)
        {
            return true;
        }

        double share = (double)backends[member].Weight / livingWeight;
        return cells[member].Active + 1 <= Math.Ceiling(boundedLoad * (pool.Active + 1) * share);
    }

    // Mixed once more, because the hash may have chosen the member, and is not evenly spread among those that chose it.
    private bool IsRampedUp(int member, ulong hash)
    {
        ulong ramp = Volatile.Read(ref ramps[member]);
        return ramp == ulong.MaxValue || Mix.Of(hash ^ (ulong)member) < ramp;
    }
}
