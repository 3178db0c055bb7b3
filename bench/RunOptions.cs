namespace L4Balancer.Bench;

/// <summary>What can be chosen on the command line of load and compare.</summary>
/// <param name="Burst">How long each burst lasts.</param>
/// <param name="Congestion">TCP congestion control for everybody; null: the host's.</param>
/// <param name="Only">Part of the name of the rows that are run; null: all.</param>
/// <param name="Seed">Decides the order of the bursts.</param>
/// <param name="Daemon">Path of the daemon; null: the one that is built beside the bench.</param>
/// <param name="Against">Path of another build of the daemon, which <c>compare</c> runs beside this one; null: none.</param>
internal sealed record RunOptions(int Rounds, TimeSpan Burst, string? Congestion, string? Only, int Seed, string? Daemon, string? Against)
{
    public bool Includes(string row) => Only is null || row.Contains(Only, StringComparison.OrdinalIgnoreCase);
}
