using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Listening;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Listening;

/// <summary>How both engines wait after an accept that failed, and what they log of it.</summary>
internal sealed class AcceptBackoffTests
{
    private static readonly Instant Start = new(TimeSpan.TicksPerDay);

    [Test]
    public void Pauses_double_from_ten_milliseconds_up_to_a_second_and_begin_anew_after_a_success()
    {
        var log = new FakeLogger();
        var backoff = new AcceptBackoff(log);
        TimeSpan[] pauses = [.. Enumerable.Range(0, 100).Select(_ => backoff.Failed(default, "EMFILE", Start))];
        backoff.Succeeded(default);

        Assert.That(pauses.Take(8).Select(p => p.TotalMilliseconds), Is.EqualTo(new[] { 10, 20, 40, 80, 160, 320, 640, 1000 }));
        Assert.That(pauses[8..], Is.All.EqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(backoff.Failed(default, "EMFILE", Start).TotalMilliseconds, Is.EqualTo(10));
    }

    [Test]
    public void A_shortage_that_comes_and_goes_has_a_line_a_minute_and_one_for_the_recovery()
    {
        var log = new FakeLogger();
        var backoff = new AcceptBackoff(log);
        for (int second = 0; second < 600; second++)
        {
            backoff.Failed(default(Endpoint), "EMFILE", Start + TimeSpan.FromSeconds(second));
            backoff.Succeeded(default);
        }

        Assert.That(log.Collector.Count, Is.EqualTo(2 * 10));
    }
}
