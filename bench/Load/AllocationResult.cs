namespace L4Balancer.Bench.Load;

/// <summary>Bytes that the event-loop thread allocated during so many round trips, and during so many connections.</summary>
internal sealed record AllocationResult(double Messages, long MessageBytes, double Connections, long ConnectionBytes, string? Fault);
