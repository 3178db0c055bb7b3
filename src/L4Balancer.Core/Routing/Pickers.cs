using L4Balancer.Core.Accounting;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>Makes the picker for a value of <c>balance</c>.</summary>
internal static class Pickers
{
    /// <param name="members">The members of one half of the pool.</param>
    /// <param name="states">By backend index.</param>
    /// <param name="seed">The seed of random picks.</param>
    public static IPicker For(PoolSettings settings, RingMember[] members, BackendState[] states, ulong seed) => settings.Balance switch
    {
        _ when members.Length == 0 => new EmptyPicker(),
        BalanceKind.Maglev => Maglev.Build(members, settings.HashKey),
        BalanceKind.LeastConnections => new LeastConnections(states),
        BalanceKind.RandomTwo => new RandomTwo(states, seed),
        BalanceKind.RoundRobin => new RoundRobin(states.Length),
        _ => Ring.Build(members, settings.HashKey),
    };

    private sealed class EmptyPicker : IPicker
    {
        public int Pick(in Addressing.FourTuple tuple, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission) => HashPicker.None;
    }
}
