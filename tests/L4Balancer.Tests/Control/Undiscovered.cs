using L4Balancer.Discovery;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>A control plane of which no pool has a source.</summary>
internal static class Undiscovered
{
    public static DiscoveryService With(TimeProvider clock) =>
        new((_, _) => throw new NotSupportedException(), static () => { }, clock, NullLogger.Instance);
}
