using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>A prober with the real clock, and what its probes of one backend say.</summary>
public abstract class ExchangeFixture
{
    private protected static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    private protected ReportLog Log { get; private set; } = null!;

    private protected Prober Prober { get; private set; } = null!;

    [SetUp]
    public void StartProber()
    {
        Log = new ReportLog();
        Prober = new Prober(TimeProvider.System, new Random(17), Log.Take);
    }

    [TearDown]
    public async Task EndProber() => await Prober.DisposeAsync();

    private protected static HealthSettings Of(HealthType type) => ProbedPool.Quick with { Type = type };

    /// <returns>How the first probe ended.</returns>
    private protected (ProbeOutcome Outcome, string Detail) Probe(TalkingBackend backend, HealthSettings health)
    {
        Prober.Publish(ProbedPool.Snapshot(health, backend.Endpoint));
        ProbeReport report = Log.Next();
        return (report.Outcome, report.Detail);
    }

    /// <returns>How the first probe ended of a backend whose address stands so in the file.</returns>
    private protected (ProbeOutcome Outcome, string Detail) Probe(TalkingBackend backend, string written, HealthSettings health)
    {
        ImmutableArray<BackendSettings> backends =
            [new BackendSettings { Name = "b0", Address = written, Endpoint = backend.Endpoint }];
        RoutingSnapshot snapshot = ProbedPool.Snapshot(health, [], backends, null);
        Prober.Publish(snapshot);
        ProbeReport report = Log.Next();
        return (report.Outcome, report.Detail);
    }

    private protected static (ProbeOutcome, string) Success => (ProbeOutcome.Success, "");

    private protected static (ProbeOutcome, string) Unfit(string detail) => (ProbeOutcome.Unfit, detail);
}
