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

    private FlatTable(Maglev maglev, AvailableSet available)
    {
        _maglev = maglev;
        _available = available;
        Available = [.. Enumerable.Range(0, available.Count).Select(p => (available.At(p), available.WeightAt(p)))];
    }

    /// <summary>The member that owns each entry of the table. The entry of a hash is the upper half of its product with their number.</summary>
    public ReadOnlySpan<ushort> Owners => _maglev.Owners;

    /// <summary>The members that take new connections, in the order of their addresses, with their weights.</summary>
    public ImmutableArray<(ushort Member, int Weight)> Available { get; }

    /// <param name="members">In any order, each index once.</param>
    /// <param name="takes">Which of them take new connections, by their index.</param>
    public static FlatTable Build(ReadOnlySpan<RingMember> members, Func<int, bool> takes)
    {
        ArgumentNullException.ThrowIfNull(takes);
        RingMember[] available = [.. members.ToArray().Where(m => takes(m.Index))];
        return new FlatTable(Maglev.Build(members), AvailableSet.Of(available));
    }

    /// <summary>The index of the member that takes a connection with this key; <see cref="HashPicker.None"/> if none does.</summary>
    public int Pick(RouteKey key) => _maglev.Pick(key, _available, []);

    /// <summary>The number of entries that a table of so many members has.</summary>
    public static int EntriesFor(int members) => Maglev.SizeFor(members);
}
