using L4Balancer.Core.Accounting;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>Makes the picker for a value of <c>balance</c>.</summary>
internal static class Pickers
{
    /// <param name="members">The members of one half of the pool.</param>
    /// <param name="cells">By backend index.</param>
    /// <param name="seed">The seed of random picks.</param>
    public static IPicker For(PoolSettings settings, RingMember[] members, BackendCell[] cells, ulong seed) => settings.Balance switch
    {
        _ when members.Length == 0 => new Nobody(),
        BalanceKind.Maglev => new HashPicker<Maglev>(Maglev.Build(members), settings.HashKey),
        BalanceKind.LeastConnections => new LeastConnections(cells),
        BalanceKind.RandomTwo => new RandomTwo(cells, seed),
        BalanceKind.RoundRobin => new RoundRobin(cells.Length),
        _ => new HashPicker<Ring>(Ring.Build(members), settings.HashKey),
    };

    private sealed class Nobody : IPicker
    {
        public int Pick(in Addressing.FourTuple tuple, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission) => Walk.None;
    }
}
