using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Survive;

/// <summary>What a part of the connections does. Each part has its own listener, pool, client process and backend process.</summary>
internal enum Third
{
    /// <summary>Paced messages, each answered; both ways are checked byte by byte.</summary>
    Messages,

    /// <summary>Paced chunks in one direction: from the client on even connections, from the backend on odd ones.</summary>
    Bulk,

    /// <summary>Nothing between its opening and the question at the end.</summary>
    Quiet,

    /// <summary>Not one of the thirds: connections that are opened beside them, ask once, and close.</summary>
    Newcomers,
}

/// <summary>Where the parts of the scene listen. All ports are below the range that connections take theirs from.</summary>
internal static class ScenePorts
{
    public const ushort Metrics = 7599;

    private const ushort Balancer = 7600;
    private const ushort Backend = 7700;

    /// <summary>Addresses that the daemon connects from, so that ports do not run out.</summary>
    public static IReadOnlyList<HostAddress> Sources { get; } =
        [.. Enumerable.Range(0, 4).Select(static i => HostAddress.FromV4(0x7F00_0201 + (uint)i))];

    public static Endpoint Of(Third third) => new(HostAddress.FromV4(0x7F00_0001), (ushort)(Balancer + (int)third));

    public static ushort BackendPort(Third third) => (ushort)(Backend + (int)third);

    public static IEnumerable<Endpoint> Backends(Third third) =>
        Enumerable.Range(0, PeerProcess.Backends).Select(i => new Endpoint(PeerProcess.Address(i), BackendPort(third)));
}
