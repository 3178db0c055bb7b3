namespace L4Balancer.Configuration;

/// <summary>One difference between two configurations.</summary>
/// <param name="Path">The key that differs: <c>pools.chat.connect_timeout</c>, <c>pools.chat.backends.ws4</c>.</param>
/// <param name="Before">The value as JSON; null if the key was added.</param>
/// <param name="After">The value as JSON; null if the key was removed.</param>
internal sealed record ConfigChange(string Path, string? Before, string? After)
{
    public override string ToString() => (Before, After) switch
    {
        (null, _) => $"{Path} added",
        (_, null) => $"{Path} removed",
        _ => $"{Path}: {Before} -> {After}",
    };
}
