using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

internal sealed class DurationTests
{
    [TestCase("0s", 0)]
    [TestCase("0.0h", 0)]
    [TestCase("1ms", 1)]
    [TestCase("250ms", 250)]
    [TestCase("2s", 2_000)]
    [TestCase("1.5s", 1_500)]
    [TestCase("0.001s", 1)]
    [TestCase("007s", 7_000)]
    [TestCase("5m", 300_000)]
    [TestCase("1h", 3_600_000)]
    [TestCase("0.5d", 43_200_000)]
    [TestCase("1m30s", 90_000)]
    [TestCase("1h30m", 5_400_000)]
    [TestCase("1d2h3m4s5ms", 93_784_005)]
    [TestCase("1.5h1.5s", 5_401_500)]
    public void A_number_with_a_unit_is_a_duration(string text, long milliseconds)
    {
        Assert.That(Duration.TryParse(text, out TimeSpan duration), Is.True);
        Assert.That(duration, Is.EqualTo(TimeSpan.FromMilliseconds(milliseconds)));
    }

    [TestCase("")]
    [TestCase("s")]
    [TestCase("5")]
    [TestCase("0")]
    [TestCase("-1s")]
    [TestCase("+1s")]
    [TestCase(".5s")]
    [TestCase("5.s")]
    [TestCase("1.2.3s")]
    [TestCase("1,5s")]
    [TestCase("1e3s")]
    [TestCase(" 1s")]
    [TestCase("1 s")]
    [TestCase("1s ")]
    [TestCase("1S")]
    [TestCase("1M")]
    [TestCase("1m1m")]
    [TestCase("30s1m")]
    [TestCase("1h30")]
    [TestCase("1h 30m")]
    [TestCase("1s0.5ms")]
    [TestCase("1us")]
    [TestCase("1min")]
    [TestCase("0.5ms")]
    [TestCase("0.0001s")]
    [TestCase("٣s")]
    public void Anything_else_is_none(string text) => Assert.That(Duration.TryParse(text, out _), Is.False);

    [TestCase("99999999999999999999d")]
    [TestCase("10675200d")]
    public void More_than_a_time_span_holds_stays_beyond_every_range(string text)
    {
        Assert.That(Duration.TryParse(text, out TimeSpan duration), Is.True);
        Assert.That(duration, Is.GreaterThan(Duration.Longest));
    }

    [TestCase(0, "0s")]
    [TestCase(1, "1ms")]
    [TestCase(1_500, "1500ms")]
    [TestCase(90_000, "90s")]
    [TestCase(60_000, "1m")]
    [TestCase(2_073_600_000, "24d")]
    public void A_duration_is_shown_in_its_largest_whole_unit(long milliseconds, string text) =>
        Assert.That(Duration.Format(TimeSpan.FromMilliseconds(milliseconds)), Is.EqualTo(text));
}
