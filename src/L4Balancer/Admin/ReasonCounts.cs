using L4Balancer.Core.Accounting;

namespace L4Balancer.Admin;

/// <summary>Counters by reason for an answer: those above zero, by their published names.</summary>
internal static class ReasonCounts
{
    public static IReadOnlyDictionary<string, long> Of(ReasonCounters counters)
    {
        SortedDictionary<string, long> counts = new(StringComparer.Ordinal);
        Add(counts, counters);
        return counts;
    }

    public static void Add(SortedDictionary<string, long> counts, ReasonCounters counters)
    {
        for (var reason = CloseReason.None; (int)reason < CloseReasons.Count; reason++)
        {
            if (counters[reason] is > 0 and long count)
            {
                counts[reason.Name()] = counts.GetValueOrDefault(reason.Name()) + count;
            }
        }
    }
}
