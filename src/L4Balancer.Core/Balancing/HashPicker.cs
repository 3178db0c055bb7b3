using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>ring</c> and <c>maglev</c>: picks by the connection's key, so that every balancer with the same configuration picks the same
/// backend.
/// </summary>
internal sealed class HashPicker<TOwners>(TOwners owners, TupleFields fields) : IPicker
    where TOwners : IHashOwners
{
    public int Pick(in FourTuple tuple, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission) =>
        living.Count == 0 ? Walk.None : Walk.Pick(owners, tuple, fields, living, tried, admission);
}
