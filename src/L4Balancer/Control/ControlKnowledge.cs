using System.Collections.Immutable;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Control;

/// <summary>What the control plane knows at one moment beside what counts, for the process that takes the place of this one.</summary>
/// <param name="Sheds">What is being closed at a pace.</param>
internal sealed record ControlKnowledge(
    DesiredState Desired, IReadOnlyList<CarriedHealth> Health, IReadOnlyList<(string Pool, string Backend, Instant Since)> SlowStarts,
    IReadOnlyList<CarriedShed> Sheds)
{
    /// <param name="believed">The sets of the sources, by pool.</param>
    public Preparation Prepare(IReadOnlyDictionary<string, ImmutableArray<DiscoveredBackend>> believed) =>
        Preparation.Of(Desired, believed, Health, SlowStarts);
}
