namespace L4Balancer.Configuration;

/// <summary>One difference between two configurations.</summary>
/// <param name="Path">What differs: <c>pools.chat.connect_timeout</c>, <c>pools.chat.backends.ws4</c>.</param>
/// <param name="Before">JSON; null where it was not there.</param>
/// <param name="After">JSON; null where it is not there any more.</param>
internal sealed record ConfigChange(string Path, string? Before, string? After)
{
    public override string ToString() => (Before, After) switch
    {
        (null, _) => $"{Path} added",
        (_, null) => $"{Path} removed",
        _ => $"{Path}: {Before} -> {After}",
    };
}
