namespace L4Balancer.Bench.Contestants;

/// <summary>The names by which the pool is chosen in <see cref="Duty.ServerNames"/>.</summary>
internal static class ServerNames
{
    public static IReadOnlyList<string> All { get; } = [.. Enumerable.Range(0, 8).Select(static i => $"chat{i}.bench.test")];
}
