namespace L4Balancer.Bench.Contestants;

/// <summary>A balancer that can be started: its name in the table, its configuration, its command.</summary>
internal abstract class ContestantKind
{
    /// <summary>Largest number of connections that each is configured for; two descriptors each, 20,000 in all.</summary>
    protected const int Connections = 8500;

    public abstract string Name { get; }

    /// <summary>The version; null where it is not installed, and then it is left out.</summary>
    public abstract string? Version { get; }

    /// <summary>Writes what it needs into a directory of its own.</summary>
    /// <returns>The command that runs it in the foreground.</returns>
    public abstract IReadOnlyList<string> Prepare(string directory, Wiring wiring);
}
