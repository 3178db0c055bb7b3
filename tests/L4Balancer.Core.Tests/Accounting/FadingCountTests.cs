using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Accounting;

/// <summary>A count that forgets.</summary>
internal sealed class FadingCountTests
{
    private static readonly Instant Start = new(FadingCount.Window.Ticks * 100_000);

    [TestCase(0, 8)]
    [TestCase(9.9, 8)]
    [TestCase(10, 8)]
    [TestCase(15, 4)]
    [TestCase(17.5, 2)]
    [TestCase(20, 0)]
    [TestCase(1_000_000, 0)]
    public void What_is_counted_counts_in_full_for_its_window_and_fades_over_the_next(double seconds, int left)
    {
        var count = default(FadingCount);
        for (int i = 0; i < 8; i++)
        {
            count.Add(Start);
        }

        Assert.That(count.At(Start + TimeSpan.FromSeconds(seconds)), Is.EqualTo(left));
    }

    [Test]
    public void A_steady_rate_is_a_steady_count()
    {
        var count = default(FadingCount);
        List<int> counts = [];
        for (int i = 0; i < 1000; i++)
        {
            Instant now = Start + TimeSpan.FromMilliseconds(100 * i);
            count.Add(now);
            counts.Add(count.At(now));
        }

        Assert.That(counts.Skip(200), Is.All.InRange(99, 101), "ten a second, for ten seconds each");
    }

    [Test]
    public void Threads_whose_clocks_differ_a_little_lose_nothing()
    {
        var count = default(FadingCount);
        count.Add(Start);
        count.Add(new Instant(Start.Ticks - 1));
        count.Add(Start);

        Assert.That(count.At(Start), Is.EqualTo(3));
    }

    [Test]
    public void Many_threads_may_count_at_once()
    {
        var box = new Box();
        Parallel.For(0, 10_000, _ => box.Count.Add(Start));

        Assert.That(box.Count.At(Start), Is.EqualTo(10_000));
    }

    private sealed class Box
    {
        public FadingCount Count;
    }
}
