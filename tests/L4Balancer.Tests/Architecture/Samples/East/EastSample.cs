using L4Balancer.Tests.Architecture.Samples.West;

namespace L4Balancer.Tests.Architecture.Samples.East;

/// <summary>One half of a circle, by signature; so that the search for circles is seen to find one.</summary>
internal sealed class EastSample
{
    public WestSample? Other { get; init; }
}
