using L4Balancer.Core.Config;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Fuzz.Targets;

/// <summary>The request whose answer is parsed.</summary>
internal static class ProbeRequest
{
    public static Exchange Upgrade { get; } = new(
        new ProbePlan(new HealthSettings { Type = HealthType.Ws }, new Random(1)), "192.0.2.1:80", 80);
}
