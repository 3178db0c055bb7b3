namespace L4Balancer.Core.Addressing;

/// <summary>What names a TCP connection on the client's side: where it comes from and which of our addresses it came to.</summary>
public readonly record struct FourTuple(Endpoint Source, Endpoint Destination);
