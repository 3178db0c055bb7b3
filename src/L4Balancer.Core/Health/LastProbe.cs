using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Health;

/// <summary>The result of the latest probe of a backend.</summary>
/// <param name="Detail">The reason for a failure; empty for a success.</param>
public sealed record LastProbe(Instant At, ProbeOutcome Outcome, string Detail);
