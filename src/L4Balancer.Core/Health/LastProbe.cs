using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Health;

/// <summary>How the latest probe of a backend ended.</summary>
/// <param name="Detail">Why it failed; empty for a success.</param>
public sealed record LastProbe(Instant At, ProbeOutcome Outcome, string Detail);
