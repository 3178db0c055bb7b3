namespace L4Balancer.Bench.Load;

/// <summary>A workload that every contestant gets in bursts.</summary>
/// <param name="Unit">What its cost is per.</param>
/// <param name="PerCost">Nanoseconds in the unit that its cost is shown in.</param>
internal sealed record Workload(string Name, string Unit, string CostUnit, double PerCost, Func<Target, BurstLimit, BurstResult> Run)
{
    public const string BulkUnit = "GiB";

    public static Workload MessagesAt64 { get; } = Messages(64);

    public static Workload RequestsAt64 { get; } = new(
        "connect-request-close, 64 at a time", "connection", "us", 1e3, static (target, limit) => Requests.Run(target, 64, limit));

    public static Workload ToBackendBy8 { get; } = ToBackend(8);

    public static Workload ToClientBy8 { get; } = ToClient(8);

    public static IReadOnlyList<Workload> All { get; } =
    [
        ToBackend(1),
        ToClient(1),
        ToBackendBy8,
        ToClientBy8,
        Messages(1),
        MessagesAt64,
        Messages(1000),
        RequestsAt64,
    ];

    private static Workload ToBackend(int streams) => new(
        $"bulk, {streams} stream{(streams > 1 ? "s" : "")}, to the backend", BulkUnit, "ms", 1e6,
        (target, limit) => BulkToBackend.Run(target, streams, limit));

    private static Workload ToClient(int streams) => new(
        $"bulk, {streams} stream{(streams > 1 ? "s" : "")}, to the client", BulkUnit, "ms", 1e6,
        (target, limit) => BulkToClient.Run(target, streams, limit));

    private static Workload Messages(int connections) => new(
        $"128-byte ping-pong, {connections} connection{(connections > 1 ? "s" : "")}", "round trip", "us", 1e3,
        (target, limit) => PingPong.Run(target, connections, limit));
}
