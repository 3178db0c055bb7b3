using L4Balancer.Core.Config;
using L4Balancer.Discovery.Consul;
using L4Balancer.Discovery.Etcd;
using L4Balancer.Discovery.Http;
using L4Balancer.Discovery.Kubernetes;
using L4Balancer.Discovery.RedisSentinel;
using L4Balancer.Discovery.Zookeeper;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Sources;

/// <summary>Creates the source of a pool; the only place that knows all of them.</summary>
internal static class SourceFactory
{
    /// <summary>Of a store that is one server, or has one address for all: there is no other to ask instead.</summary>
    private static readonly StoreHttpOptions OneServer = new() { Timeout = TimeSpan.FromSeconds(5) };

    private static readonly StoreHttpOptions Members = new();

    /// <param name="pool">The name of the pool.</param>
    /// <param name="fleet">The name of the fleet, a part of the default of <c>prefix</c>.</param>
    /// <exception cref="NotSupportedException">The kind is not built; the configuration does not accept its key.</exception>
    public static IBackendSource Create(string pool, DiscoverySettings settings, string fleet, TimeProvider clock) => settings.Kind switch
    {
        DiscoveryKind.Zookeeper => new ZookeeperSource(settings, settings.PrefixFor(pool, fleet), clock),
        DiscoveryKind.RedisSentinel => new SentinelSource(settings, clock),
        DiscoveryKind.Dns => new DnsSource(settings.Dns, settings.Servers, settings.Interval, clock),
        DiscoveryKind.File => new FileSource(settings.File, settings.Interval, clock),
        DiscoveryKind.Http => new HttpSource(settings, clock, Random.Shared, OneServer),
        DiscoveryKind.Etcd => new EtcdSource(settings, settings.PrefixFor(pool, fleet), clock, Random.Shared, Members),
        DiscoveryKind.Consul => new ConsulSource(settings, clock, Random.Shared, OneServer),
        DiscoveryKind.Kubernetes => new KubernetesSource(settings, clock, Random.Shared, OneServer, Environment.GetEnvironmentVariable),
        _ => throw new NotSupportedException($"Pool {pool}: no source of the kind {settings.Kind}."),
    };
}
