using L4Balancer.Logging;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Tests.Logging;

/// <summary>The lines of the log that the admin API has.</summary>
internal sealed class RecentLinesTests
{
    [TestCase(0, 7)]
    [TestCase(5, 2)]
    [TestCase(7, 0)]
    [TestCase(-1, 7)]
    [TestCase(8, 7, Description = "of a daemon before a restart or an upgrade, which counted further")]
    [TestCase(long.MaxValue, 7)]
    public void What_is_newer_than_a_number_is_there(long number, int count)
    {
        var lines = new RecentLines();
        for (int n = 1; n <= 7; n++)
        {
            lines.Add(DateTimeOffset.UnixEpoch, LogLevel.Information, "text");
        }

        Assert.That(lines.After(number).Select(static l => l.Number), Is.EqualTo(Enumerable.Range(8 - count, count)));
    }

    [Test]
    public void The_oldest_go_first_and_long_ones_are_cut()
    {
        var lines = new RecentLines();
        for (int n = 0; n < RecentLines.Capacity + 3; n++)
        {
            lines.Add(DateTimeOffset.UnixEpoch, LogLevel.Information, new string('x', 10_000));
        }

        IReadOnlyList<RecentLine> kept = lines.After(0);
        Assert.That((kept.Count, kept[0].Number, kept[0].Text.Length), Is.EqualTo((RecentLines.Capacity, 4, 501)));
    }
}
