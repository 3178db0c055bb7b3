namespace L4Balancer.Core.Config;

/// <summary>The table <c>[pools.passive]</c>: passive health, based on connects made for clients.</summary>
public sealed record PassiveSettings
{
    /// <summary>Consecutive failed connects after which a backend is marked down; 0 means never.</summary>
    public int Failures { get; init; } = 5;

    /// <summary>
    /// A connection that the backend ends sooner than this after the connect, without a byte, counts as a failed connect; zero means never.
    /// </summary>
    public TimeSpan EarlyClose { get; init; }

    /// <summary>Without probes: time after which one trial connection is allowed.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromSeconds(10);
}
