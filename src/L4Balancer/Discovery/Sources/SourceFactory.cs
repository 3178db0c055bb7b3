using L4Balancer.Core.Config;
using L4Balancer.Discovery.RedisSentinel;
using L4Balancer.Discovery.Zookeeper;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Discovery.Sources;

/// <summary>Creates the source of a pool; the only place that knows all of them.</summary>
internal static class SourceFactory
{
    /// <param name="pool">The name of the pool.</param>
    /// <param name="fleet">The name of the fleet, a part of the default of <c>prefix</c>.</param>
    /// <exception cref="NotSupportedException">The kind is not built; the configuration does not accept its key.</exception>
    public static IBackendSource Create(string pool, DiscoverySettings settings, string fleet, TimeProvider clock, ILogger log) => settings.Kind switch
    {
        DiscoveryKind.Zookeeper => new ZookeeperSource(settings, settings.PrefixFor(pool, fleet), clock),
        DiscoveryKind.RedisSentinel => new SentinelSource(settings, clock),
        DiscoveryKind.File => new FileSource(settings.File, settings.Interval, clock),
        _ => throw new NotSupportedException($"Pool {pool} of fleet {fleet}: no source of the kind {settings.Kind}, {clock}, {log}."),
    };
}
