using L4Balancer.Core.Discovery;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Discovery;

/// <summary>When changes that come one after the other are applied.</summary>
internal sealed class SettlingTests
{
    [Test]
    public void A_change_is_applied_a_moment_later_and_those_of_that_moment_with_it()
    {
        var settling = default(Settling);

        Assert.That(settling.Change(At(1000)), Is.EqualTo(At(1000) + Settling.Quiet));
        Assert.That(settling.Change(At(1050)), Is.Null);
        settling.Settled(At(1100));
        Assert.That(settling.Change(At(9000)), Is.EqualTo(At(9000) + Settling.Quiet));
    }

    [TestCase(1)]
    [TestCase(2)]
    public void Changes_at_random_are_applied_in_time_and_not_too_often(int seed)
    {
        var random = new Random(seed);
        var settling = default(Settling);
        List<long> applied = [];
        long? due = null;
        long? oldest = null;
        for (long now = 0; now < 60_000; now++)
        {
            if (due == now)
            {
                settling.Settled(At(now));
                Assert.That(now - oldest, Is.LessThanOrEqualTo((long)Settling.Storm.TotalMilliseconds), "no change waits longer");
                (due, oldest) = (null, null);
                applied.Add(now);
            }

            if (random.Next(now % 10_000 < 5_000 ? 5 : 500) == 0)
            {
                oldest ??= now;
                due = settling.Change(At(now)) is { } at ? at.Ticks / TimeSpan.TicksPerMillisecond : due;
            }
        }

        Assert.That(applied, Has.Count.GreaterThan(100));
        Assert.That(applied.Zip(applied.Skip(1), static (a, b) => b - a), Is.All.GreaterThanOrEqualTo((long)Settling.Storm.TotalMilliseconds));
    }

    private static Instant At(long milliseconds) => new(milliseconds * TimeSpan.TicksPerMillisecond);
}
