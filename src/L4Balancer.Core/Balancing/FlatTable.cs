using System.Collections.Immutable;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// A Maglev table with those of its members that take new connections, as plain numbers: for a program outside of this process that makes the same
/// choice, such as one in the kernel. Immutable; any thread.
/// </summary>
public sealed class FlatTable
{
    private readonly Maglev _maglev;
    private readonly AvailableSet _available;
    private readonly IAdmission? _admission;

    /// <param name="ramps">By member; empty if no member is in slow start.</param>
    internal FlatTable(Maglev maglev, AvailableSet available, ImmutableArray<ulong> ramps)
    {
        _maglev = maglev;
        _available = available;
        _admission = ramps.IsEmpty ? null : new RampAdmission(ramps);
        Ramps = ramps;
        Available = [.. Enumerable.Range(0, available.Count).Select(p => (available.At(p), available.WeightAt(p)))];
    }

    /// <summary>The member that owns each entry of the table. The entry of a hash is the upper half of its product with their number.</summary>
    public ReadOnlySpan<ushort> Owners => _maglev.Owners;

    /// <summary>The members that take new connections, in the order of their addresses, with their weights.</summary>
    public ImmutableArray<(ushort Member, int Weight)> Available { get; }

    /// <summary>
    /// Slow start: how many of 2^64 mixed hashes each member takes (docs/hashing.md), by its index; <see cref="ulong.MaxValue"/>: all. Empty if no member
    /// is in slow start.
    /// </summary>
    public ImmutableArray<ulong> Ramps { get; }

    /// <param name="members">In any order, each index once.</param>
    /// <param name="takes">Which of them take new connections, by their index.</param>
    /// <param name="ramps">By index, for members in slow start; empty: none is.</param>
    public static FlatTable Build(ReadOnlySpan<RingMember> members, Func<int, bool> takes, params ImmutableArray<ulong> ramps)
    {
        ArgumentNullException.ThrowIfNull(takes);
        RingMember[] available = [.. members.ToArray().Where(m => takes(m.Index))];
        return new FlatTable(Maglev.Build(members), AvailableSet.Of(available), ramps);
    }

    /// <summary>
    /// The index of the member that takes a connection with this key; <see cref="HashPicker.None"/> if none does. If slow start would refuse the key at
    /// every member, it counts for nothing.
    /// </summary>
    public int Pick(RouteKey key)
    {
        int picked = _maglev.Pick(key, _available, [], _admission);
        return picked == HashPicker.None && _admission is not null ? _maglev.Pick(key, _available, []) : picked;
    }

    /// <summary>Whether both choose the same member for every key.</summary>
    public bool IsSameAs(FlatTable other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return ReferenceEquals(this, other)
            || ((_maglev == other._maglev || Owners.SequenceEqual(other.Owners))
                && Available.SequenceEqual(other.Available) && Ramps.SequenceEqual(other.Ramps));
    }

    /// <summary>The number of entries that a table of so many members has.</summary>
    public static int EntriesFor(int members) => Maglev.SizeFor(members);

    private sealed class RampAdmission(ImmutableArray<ulong> ramps) : IAdmission
    {
        public bool Admits(int member, ulong hash) => Mix.Admits(ramps[member], hash, member);
    }
}
