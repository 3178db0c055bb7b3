namespace L4Balancer.Core.Balancing;

/// <summary>
/// What a connection is hashed by (docs/hashing.md, 2): the canonical bytes of the fields in <c>hash_key</c>. Lives as long as the buffer
/// that they are in.
/// </summary>
public readonly ref struct RouteKey(ReadOnlySpan<byte> bytes)
{
    public ReadOnlySpan<byte> Bytes { get; } = bytes;

    /// <summary>XXH64 of the bytes. Pure; costs some nanoseconds for each 32 bytes.</summary>
    public ulong Hash(ulong seed) => XxHash64.Hash(Bytes, seed);
}
