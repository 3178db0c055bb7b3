namespace L4Balancer.Core.Config;

/// <summary>Which listener names which pool, until all pools are known: a listener may stand before its pool.</summary>
internal sealed class PoolReferences
{
    /// <summary>More pools than this are not searched for the nearest name; a file of many wrong references stays quick.</summary>
    private const int MostSuggestions = 1_000;

    private readonly List<(string Pool, Setting Setting)> _all = [];

    public void Add(string pool, Setting setting) => _all.Add((pool, setting));

    /// <param name="names">The names of all pools. Not to be called where one of them could not be read.</param>
    public void ReportDangling(ICollection<string> names)
    {
        HashSet<string> known = [.. names];
        foreach ((string pool, Setting setting) in _all)
        {
            if (known.Contains(pool))
            {
                continue;
            }

            string? nearest = known.Count <= MostSuggestions ? NearestName.Of(pool, names, out _) : null;
            string mend = nearest is null ? "needed: the name of a pool" : $"the nearest pool is \"{nearest}\"";
            setting.Errors.AddIfWhole(setting.Position, setting.Key, $"there is no pool {Quoted.Text(pool)}; {mend}");
        }
    }
}
