using System.Globalization;

namespace L4Balancer.Bench.Control;

/// <summary>What keeps a control plane busy: tables of the daemon's configuration, and who comes from outside.</summary>
/// <param name="Row">The name in the report.</param>
/// <param name="Tables">Further tables of the configuration.</param>
/// <param name="Outside">Arguments of this program, for the process that plays everybody outside.</param>
internal sealed record BusyScene(string Row, string Tables, IReadOnlyList<string> Outside)
{
    private const ushort MetricsPort = 7500;
    private const ushort AdminPort = 7501;

    /// <summary>Scrapes, listings, and 1,000 backends with a fast interval.</summary>
    public static BusyScene Operators { get; } = new(
        "busy operators",
        $"""
        [admin]
        socket = ""
        listen = "127.0.0.1:{AdminPort}"
        [metrics]
        listen = "127.0.0.1:{MetricsPort}"
        {ProbedBackends.Pool("probed", 9, ProbedBackends.TcpPort, 1000, "type = \"tcp\", interval = \"2s\"")}
        """,
        ["operators", MetricsPort.ToString(CultureInfo.InvariantCulture), AdminPort.ToString(CultureInfo.InvariantCulture)]);

    /// <summary>10,000 backends by <c>tcp</c> every 20 s, and 200 by <c>wss</c> every 2 s.</summary>
    public static BusyScene Probes { get; } = new(
        "many probes",
        $"""
        [admin]
        socket = ""
        {ProbedBackends.Pool("tcp", 10, ProbedBackends.TcpPort, 10_000, "type = \"tcp\", interval = \"20s\"")}
        {ProbedBackends.Pool("wss", 11, ProbedBackends.WebSocketPort, 200, "type = \"wss\", interval = \"2s\"")}
        """,
        ["probed"]);

    public static IReadOnlyList<BusyScene> All { get; } = [Operators, Probes];
}
