using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>What nobody has foreseen ends one probe, and neither the prober nor the process.</summary>
public sealed class UnforeseenFaultTests
{
    private static readonly HealthSettings Http = ProbedPool.Quick with { Type = HealthType.Http };

    [Test]
    public async Task A_goodbye_that_fails_gives_its_place_back()
    {
        var log = new ReportLog();
        var clock = new ObservedClock();
        await using var backend = new TalkingBackend(TalkingBackend.Answering("HTTP/1.1 204 No Content\r\n\r\n"));

        // Disposed of only where it is well: with a place that nobody gives back it would wait for ever.
        Prober prober = new(clock, new Random(17), log.Take) { MostInFlight = 2 };
        clock.TimerMade = static () => throw new InvalidOperationException("no timer");
        prober.Publish(ProbedPool.Snapshot(Http, backend.Endpoint));

        for (int i = 0; i < 5; i++)
        {
            Assert.That(log.Next().Outcome, Is.EqualTo(ProbeOutcome.Success));
        }

        await prober.DisposeAsync();
    }

    [Test]
    public async Task A_probe_that_cannot_even_begin_says_nothing_of_its_backend()
    {
        var log = new ReportLog();
        await using var backend = new TalkingBackend(TalkingBackend.Answering("HTTP/1.1 204 No Content\r\n\r\n"));
        await using Prober prober = new(TimeProvider.System, new Random(17), log.Take);

        // What stands there has no port, which nothing but a fault of ours lets through.
        ImmutableArray<BackendSettings> odd = [new BackendSettings { Name = "b0", Address = "odd", Endpoint = backend.Endpoint }];
        prober.Publish(ProbedPool.Snapshot(Http, [], odd, null));

        ProbeReport report = log.Next();
        Assert.That(report.Outcome, Is.EqualTo(ProbeOutcome.LocalError));
        Assert.That(report.Detail, Does.StartWith("the probe failed: ArgumentOutOfRangeException"));
    }
}
