namespace L4Balancer.Core.Pacing;

/// <summary>Selects which connections are closed, and in what order.</summary>
public static class Choosing
{
    /// <summary>
    /// Takes from each group its quota, lowest rank first. The groups are interleaved in proportion to their quotas, so that each has
    /// lost half of its quota when half of the work is done.
    /// </summary>
    /// <param name="quotas">Null selects everything, ordered by rank alone. A group without a quota loses nothing.</param>
    public static IReadOnlyList<T> Choose<T, TGroup>(
        IReadOnlyCollection<T> all, Func<T, TGroup> groupOf, Func<T, long> rankOf, IReadOnlyDictionary<TGroup, int>? quotas)
        where TGroup : notnull
    {
        ArgumentNullException.ThrowIfNull(all);
        if (quotas is null)
        {
            return [.. all.OrderBy(rankOf)];
        }

        List<(double Place, T Item)> chosen = [];
        foreach (IGrouping<TGroup, T> group in all.GroupBy(groupOf))
        {
            T[] own = [.. group.OrderBy(rankOf).Take(quotas.GetValueOrDefault(group.Key))];
            chosen.AddRange(own.Select((item, i) => ((i + 0.5) / own.Length, item)));
        }

        return [.. chosen.OrderBy(c => c.Place).Select(c => c.Item)];
    }
}
