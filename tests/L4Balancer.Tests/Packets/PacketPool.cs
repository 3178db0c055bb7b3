using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Tests.Packets;

/// <summary>A configuration with a packet listener and its pool, as a file would give it.</summary>
internal static class PacketPool
{
    public static RoutingSnapshot Snapshot(BalancerConfig config, RoutingSnapshot? before = null) =>
        RoutingSnapshot.Build(new DesiredState(config, MaxConnections: 10), before);

    public static BalancerConfig Config(int backends, int flows = 1_000, ListenerMode mode = ListenerMode.Packet, TupleFields key = TupleFields.All) => new()
    {
        Listeners =
        [
            new ListenerSettings
            {
                Name = "wss", Bind = [At("192.0.2.10:443")], Pool = "chat", Mode = mode, Flows = flows,
                Interface = mode == ListenerMode.Packet ? "eth0" : "",
            },
        ],
        Pools =
        [
            new PoolSettings
            {
                Name = "chat", Balance = BalanceKind.Maglev, HashKey = key, SlowStart = TimeSpan.FromSeconds(10), Backends = Backends(backends),
            },
        ],
    };

    private static ImmutableArray<BackendSettings> Backends(int count) =>
    [
        .. Enumerable.Range(1, count).Select(i => new BackendSettings
        {
            Name = $"ws{i}", Address = $"10.0.0.{i}:443", Endpoint = At($"10.0.0.{i}:443"),
        }),
    ];

    private static Endpoint At(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);
}
