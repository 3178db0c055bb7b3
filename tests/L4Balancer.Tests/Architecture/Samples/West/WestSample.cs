using L4Balancer.Tests.Architecture.Samples.East;

namespace L4Balancer.Tests.Architecture.Samples.West;

/// <summary>The other half, by nothing but a token in a method's IL.</summary>
internal sealed class WestSample
{
    public static bool IsEast(object value) => value is EastSample;
}
