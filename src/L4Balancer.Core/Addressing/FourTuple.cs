namespace L4Balancer.Core.Addressing;

/// <summary>
/// Identifies the client's TCP connection: the client's endpoint (source) and the local endpoint that accepted it (destination).
/// </summary>
public readonly record struct FourTuple(Endpoint Source, Endpoint Destination);
