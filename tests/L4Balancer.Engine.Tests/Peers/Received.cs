namespace L4Balancer.Engine.Tests.Peers;

/// <summary>All that a peer received until the end.</summary>
/// <param name="Digest">SHA-256 in hexadecimal.</param>
internal readonly record struct Received(long Bytes, string Digest, StreamEnd End);
