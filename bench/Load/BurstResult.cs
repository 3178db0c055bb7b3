namespace L4Balancer.Bench.Load;

/// <summary>What one burst of a workload against one balancer gave.</summary>
/// <param name="Units">GiB, round trips or connections.</param>
/// <param name="Elapsed">Wall time until everything had arrived.</param>
/// <param name="ProcessorNanoseconds">What the balancer spent in it.</param>
/// <param name="Latency">Null for bulk.</param>
/// <param name="Fault">An error, or bytes that are missing: the result is void. Null: all is well.</param>
internal sealed record BurstResult(
    double Units, TimeSpan Elapsed, long ProcessorNanoseconds, LatencyHistogram? Latency = null, string? Fault = null)
{
    public double NanosecondsPerUnit => ProcessorNanoseconds / Units;

    public double Rate => Units / Elapsed.TotalSeconds;

    /// <summary>Share of the time that the balancer ran: near 1 it was the bottleneck, far below the peers were.</summary>
    public double Busy => ProcessorNanoseconds / Elapsed.TotalNanoseconds;

    public static BurstResult Failed(string fault) => new(0, TimeSpan.Zero, 0, Fault: fault);
}
