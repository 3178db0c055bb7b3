namespace L4Balancer.Stores;

/// <summary>The bounds of what one store may take. Durations are counted by the clock given to <see cref="StoreHttp"/>.</summary>
internal sealed record StoreHttpOptions
{
    /// <summary>Until a TCP connection, and TLS on it, is there. A packet lost at its start costs one second (RFC 6298).</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Until an answer is complete; for a stream, until its head has arrived. Connecting included.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>A stream that brings no byte for this long is dead.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest answer, and the longest line of a stream, in bytes.</summary>
    public int MaxBytes { get; init; } = 8 * 1024 * 1024;
}
