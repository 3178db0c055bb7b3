using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>Snapshots of one pool whose backends are probed.</summary>
internal static class ProbedPool
{
    public static HealthSettings Quick { get; } = new()
    {
        Interval = TimeSpan.FromMilliseconds(20),
        Timeout = TimeSpan.FromSeconds(10),
    };

    public static Endpoint Loopback(int port) => new(HostAddress.FromV4(0x7F00_0001), (ushort)port);

    public static HostAddress Address(string text) =>
        HostAddress.TryParse(text, out HostAddress address) ? address : throw new ArgumentException(text);

    public static RoutingSnapshot Snapshot(HealthSettings health, params Endpoint[] backends) =>
        Snapshot(health, [], Named(backends), null);

    public static RoutingSnapshot Snapshot(
        HealthSettings health, ImmutableArray<HostAddress> sources, ImmutableArray<BackendSettings> backends, RoutingSnapshot? previous)
    {
        var pool = new PoolSettings { Name = "pool", Health = health, SourceIps = sources, Backends = backends };
        return RoutingSnapshot.Build(new(new BalancerConfig { Pools = [pool] }, MaxConnections: 100), previous);
    }

    /// <summary>Backends <c>b0</c>, <c>b1</c>, and so on.</summary>
    public static ImmutableArray<BackendSettings> Named(params Endpoint[] endpoints) =>
        [.. endpoints.Select((e, i) => new BackendSettings { Name = $"b{i}", Address = e.ToString(), Endpoint = e })];

    public static bool IsDown(this RoutingSnapshot snapshot, int backend) => snapshot.Pools[0].IsDown(backend);
}
