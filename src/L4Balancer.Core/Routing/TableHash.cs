using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>A hash over what backends are chosen by, to compare two balancers. Any thread.</summary>
internal static class TableHash
{
    /// <summary>
    /// Over the table of the picker, or over the members and their weights if it has none. Does not depend on the order of the members' indexes:
    /// a backend counts by its address. 0 without members.
    /// </summary>
    public static ulong Of(IPicker picker, RingMember[] members)
    {
        if (members.Length == 0)
        {
            return 0;
        }

        var names = new ulong[members.Max(static m => m.Index) + 1];
        ulong hash = 0;
        foreach (RingMember member in members)
        {
            names[member.Index] = TupleHash.OfText(member.Address);
            hash = Mix.Of(hash ^ names[member.Index]) + (ulong)member.Weight;
        }

        return picker is HashPicker table ? table.HashOfTable(names) : hash;
    }
}
