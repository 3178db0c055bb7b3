using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Pacing;

/// <summary>How fast a row of acts may come, on a clock that the tests move.</summary>
internal sealed class RateLimiterTests
{
    private const int Rate = 500;
    private static readonly Instant Start = new(TimeSpan.TicksPerHour);
    private static readonly TimeSpan Space = RateLimiter.Between(Rate);

    [Test]
    public void Acts_come_one_by_one_at_the_rate()
    {
        var pace = new RateLimiter();
        pace.Begin(Start);
        int[] taken = [.. Enumerable.Range(0, 1000).Select(ms => pace.Take(Start + TimeSpan.FromMilliseconds(ms), Space, 1000, out _))];

        Assert.That(taken.Sum(), Is.EqualTo(Rate));
        Assert.That(taken.Max(), Is.EqualTo(1));
    }

    [Test]
    public void It_says_when_to_ask_again()
    {
        var pace = new RateLimiter();
        pace.Begin(Start);

        Assert.That(pace.Take(Start, Space, 1000, out Instant next), Is.EqualTo(1));
        Assert.That(next - Start, Is.EqualTo(TimeSpan.FromMilliseconds(2)));
        Assert.That(pace.Take(next + TimeSpan.FromMilliseconds(-1), Space, 1000, out Instant same), Is.Zero);
        Assert.That(same, Is.EqualTo(next));
    }

    [Test]
    public void No_stall_is_followed_by_a_burst([Values(11, 50, 100_000)] int stall)
    {
        var pace = new RateLimiter();
        pace.Begin(Start);
        pace.Take(Start, Space, 1000, out _);

        Instant after = Start + TimeSpan.FromMilliseconds(stall);
        Assert.That(pace.Take(after, Space, 1000, out Instant next), Is.EqualTo(5), "what belongs to 10 ms");
        Assert.That(next - after, Is.EqualTo(Space));
    }

    [Test]
    public void Whoever_asks_when_it_is_never_gets_ahead_by_more_than_the_slack()
    {
        var random = new Random(7);
        var pace = new RateLimiter();
        pace.Begin(Start);
        List<double> acts = [];
        for (double ms = 0; ms < 20_000; ms += random.NextDouble() * (random.Next(50) == 0 ? 120 : 4))
        {
            int taken = pace.Take(Start + TimeSpan.FromMilliseconds(ms), Space, 1000, out _);
            acts.AddRange(Enumerable.Repeat(ms, taken));
        }

        // Over every stretch that begins with an act.
        for (int first = 0; first < acts.Count; first += 13)
        {
            for (int last = first; last < Math.Min(acts.Count, first + 2000); last += 7)
            {
                double allowed = Rate * (acts[last] - acts[first] + RateLimiter.Slack.TotalMilliseconds) / 1000;
                Assert.That(last - first + 1, Is.LessThanOrEqualTo(allowed + 1e-6));
            }
        }
    }

    [Test]
    public void Two_that_share_a_pace_share_its_rate()
    {
        var pace = new RateLimiter();
        pace.Begin(Start);
        int all = 0;
        for (int ms = 0; ms < 1000; ms++)
        {
            Instant now = Start + TimeSpan.FromMilliseconds(ms);
            all += pace.Take(now, Space, 1, out _) + pace.Take(now, Space, 1, out _);
        }

        Assert.That(all, Is.EqualTo(Rate));
    }

    [Test]
    public void What_is_reserved_comes_one_after_the_other()
    {
        var pace = new RateLimiter();
        pace.Begin(Start);
        TimeSpan[] turns = [.. Enumerable.Range(0, 100).Select(_ => pace.Reserve(Start, Space) - Start)];

        Assert.That(turns, Is.EqualTo(Enumerable.Range(0, 100).Select(i => Space * i)));
    }

    [Test]
    public void Rate_0_is_no_limit()
    {
        var pace = new RateLimiter();
        Assert.That(pace.Take(Start, RateLimiter.Between(0), 123_456, out _), Is.EqualTo(123_456));
        Assert.That(pace.Reserve(Start, RateLimiter.Between(0)), Is.EqualTo(Start));
    }

    [Test]
    public void Within_a_time_the_first_is_at_once_and_the_last_a_step_before_the_end()
    {
        var within = TimeSpan.FromSeconds(10);
        List<TimeSpan> acts = Play(within, 100, static _ => TimeSpan.FromMilliseconds(1));

        Assert.That(acts[0], Is.EqualTo(TimeSpan.Zero));
        Assert.That(acts[50], Is.EqualTo(TimeSpan.FromSeconds(5)).Within(TimeSpan.FromMilliseconds(20)));
        Assert.That(acts[99], Is.EqualTo(TimeSpan.FromSeconds(9.9)).Within(TimeSpan.FromMilliseconds(20)));
    }

    [Test]
    public void A_stall_is_made_up_for_over_the_rest_of_the_time()
    {
        var within = TimeSpan.FromSeconds(10);
        List<TimeSpan> acts = Play(within, 1000, at => at == TimeSpan.FromSeconds(2) ? TimeSpan.FromSeconds(3) : TimeSpan.FromMilliseconds(1));

        Assert.That(acts, Has.Count.EqualTo(1000));
        Assert.That(acts[^1], Is.LessThan(within));
        Assert.That(acts.GroupBy(a => (int)(a.TotalMilliseconds / 100)).Max(g => g.Count()), Is.LessThan(20), "160 a second, and no burst");
    }

    [Test]
    public void Within_no_time_is_at_once() =>
        Assert.That(CloseRate.Within(TimeSpan.Zero).Between(50, TimeSpan.Zero), Is.EqualTo(TimeSpan.Zero));

    private static List<TimeSpan> Play(TimeSpan within, int count, Func<TimeSpan, TimeSpan> step)
    {
        var pace = new RateLimiter();
        pace.Begin(Start);
        var rate = CloseRate.Within(within);
        List<TimeSpan> acts = [];
        for (TimeSpan at = TimeSpan.Zero; acts.Count < count && at < within * 2; at += step(at))
        {
            int left = count - acts.Count;
            acts.AddRange(Enumerable.Repeat(at, pace.Take(Start + at, rate.Between(left, at), left, out _)));
        }

        return acts;
    }
}
