namespace L4Balancer.Core.Config;

/// <summary>
/// References from listeners to pools, kept until all pools are known, because a listener may precede its pool in the file.
/// </summary>
internal sealed class PoolReferences
{
    /// <summary>
    /// With more pools than this no nearest name is searched, so that a file with many wrong references is still checked quickly.
    /// </summary>
    private const int MostSuggestions = 1_000;

    private const int MostListed = 8;

    private readonly List<(string Pool, Setting Setting)> _all = [];

    public void Add(string pool, Setting setting) => _all.Add((pool, setting));

    /// <summary>Whether a listener or one of its routes names the pool.</summary>
    public bool Has(string pool) => _all.Exists(r => r.Pool == pool);

    /// <param name="names">The names of all pools. Must not be called if one of them could not be read.</param>
    public void ReportDangling(ICollection<string> names)
    {
        HashSet<string> known = [.. names];
        foreach ((string pool, Setting setting) in _all)
        {
            if (known.Contains(pool))
            {
                continue;
            }

            string? nearest = known.Count <= MostSuggestions ? NearestName.Meant(pool, names) : null;
            string mend = nearest is not null ? $"the nearest pool is \"{nearest}\""
                : known.Count is > 0 and <= MostListed ? $"allowed: {string.Join(", ", names.Select(Quoted.Text))}"
                : "needed: the name of a pool";
            setting.Errors.AddIfWhole(setting.Position, setting.Key, $"there is no pool {Quoted.Text(pool)}; {mend}");
        }
    }
}
