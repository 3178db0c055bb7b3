namespace L4Balancer.Core.Config;

/// <summary>
/// The table <c>[pools.sticky]</c>: connections with the same <c>hash_key</c> go where the last one went, though backends come and go.
/// </summary>
public sealed record StickySettings
{
    /// <summary>How long an entry lives after its last connection; zero means that there is no table.</summary>
    public TimeSpan Ttl { get; init; }

    /// <summary>Maximum number of entries.</summary>
    public int Entries { get; init; } = 100_000;
}

/// <summary><c>[pools.sticky]</c>.</summary>
internal static class StickyBinding
{
    /// <summary>About 1.5 GB.</summary>
    private const int MostEntries = 10_000_000;

    private static readonly StickySettings Defaults = new();

    public static StickySettings Bind(TableBinder table) => new()
    {
        Ttl = table.Duration("ttl", Defaults.Ttl, TimeSpan.Zero, Duration.Longest),
        Entries = table.Integer("entries", Defaults.Entries, 1, MostEntries),
    };
}
