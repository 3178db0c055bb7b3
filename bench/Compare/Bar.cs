namespace L4Balancer.Bench.Compare;

/// <summary>What a row is held to: a ratio of ours to somebody else's.</summary>
/// <param name="Latency">p99 latency instead of CPU per unit.</param>
/// <param name="Splice">Against HAProxy with splice; otherwise against the better of stock HAProxy and nginx.</param>
/// <param name="Aim">Null where there is only the bar.</param>
internal sealed record Bar(bool Latency, bool Splice, double AtMost, double? Aim)
{
    /// <summary>How the rows are named in which the pool is chosen by the name in the ClientHello.</summary>
    public const string ByServerName = ", by server name";

    /// <summary>Likewise with PROXY headers; nginx writes version 1.</summary>
    public const string WithProxy = ", PROXY v2 in and out (nginx: v1 out)";

    /// <summary>Likewise of the daemon alone, with keeper and ledger and without.</summary>
    public const string ByKeeper = ", keeper on and off";

    /// <summary>What keeper and ledger may cost, as a ratio to the same daemon without them.</summary>
    public static Bar? OfKeeper(string row) => !row.EndsWith(ByKeeper, StringComparison.Ordinal) ? null
        : Cost(row.StartsWith("connect", StringComparison.Ordinal) ? 1.03 : 1.01, aim: null);

    /// <summary>The bars of a workload; those of bulk hold in each direction.</summary>
    public static IReadOnlyList<Bar> Of(string row) => row switch
    {
        _ when row.StartsWith("bulk, 1 ", StringComparison.Ordinal) => [Cost(0.52, 0.40), Against(1.2)],
        _ when row.StartsWith("bulk, 8 ", StringComparison.Ordinal) => [Cost(0.40, 0.30), Against(1.0)],
        "128-byte ping-pong, 64 connections" => [Cost(0.95, 0.88), new Bar(true, false, 1.15, 0.95)],
        "128-byte ping-pong, 1000 connections" => [Cost(0.88, 0.80)],
        "connect-request-close, 64 at a time" => [Cost(1.00, 0.90)],
        _ when row.EndsWith(ByServerName, StringComparison.Ordinal) || row.EndsWith(WithProxy, StringComparison.Ordinal) =>
            [Cost(1.00, aim: null)],
        _ => [],
    };

    private static Bar Cost(double atMost, double? aim) => new(false, false, atMost, aim);

    private static Bar Against(double atMost) => new(false, true, atMost, null);
}
