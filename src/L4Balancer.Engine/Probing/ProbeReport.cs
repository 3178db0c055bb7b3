using L4Balancer.Core.Addressing;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Probing;

/// <summary>The result of one probe of one backend.</summary>
/// <param name="Address">
/// The address that was probed: the backend's or, for a success only, another one of its name, after the backend's own has failed.
/// </param>
/// <param name="Detail">Why it failed, in a few words (<c>connection refused</c>); empty for a success.</param>
public readonly record struct ProbeReport(Pool Pool, Backend Backend, HostAddress Address, ProbeOutcome Outcome, string Detail);
