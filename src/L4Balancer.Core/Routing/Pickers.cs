using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Routing;

/// <summary>Makes the picker for a value of <c>balance</c>.</summary>
internal static class Pickers
{
    /// <param name="members">The members of one half of the pool.</param>
    /// <param name="states">By backend index.</param>
    /// <param name="pool">Holds what must outlive a snapshot: whose turn it is, and the random sequence.</param>
    public static IPicker For(PoolSettings settings, RingMember[] members, BackendState[] states, PoolState pool) => settings.Balance switch
    {
        _ when members.Length == 0 => new EmptyPicker(),
        BalanceKind.Maglev => Maglev.Build(members),
        BalanceKind.LeastConnections => new LeastConnections(states, pool),
        BalanceKind.RandomTwo => new RandomTwo(states, pool),
        BalanceKind.RoundRobin => new RoundRobin(states, pool),
        _ => Ring.Build(members),
    };

    /// <summary>What the pool hashes of a connection.</summary>
    public static HashKey KeyOf(PoolSettings settings) => new(new TupleKey(settings.HashKey, settings.SourceNet), settings.HashFields);

    private sealed class EmptyPicker : IPicker
    {
        public int Pick(RouteKey key, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission) => HashPicker.None;
    }
}
