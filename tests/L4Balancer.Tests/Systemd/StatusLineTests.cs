using L4Balancer.Systemd;

namespace L4Balancer.Tests.Systemd;

internal sealed class StatusLineTests
{
    private static readonly TimeSpan Moment = TimeSpan.FromTicks(1);

    [Test]
    public async Task Ten_thousand_changes_at_once_are_written_once_by_the_timer_and_the_last_of_them_is_in_it()
    {
        var clock = new TestClock();
        int changes = 0;
        List<int> written = [];
        await using var line = new StatusLine(() => written.Add(changes), clock);
        while (changes < 10_000)
        {
            changes++;
            line.Change();
        }

        Assert.That(written, Is.Empty, "whoever changes something does not wait for who reads it");
        clock.Advance(Moment);
        Assert.That(written, Is.EqualTo(new[] { 10_000 }), "and it is not held back");
        line.Change();
        clock.Advance(StatusLine.Between - Moment);
        Assert.That(written, Has.Count.EqualTo(1));
        clock.Advance(Moment);
        Assert.That(written, Has.Count.EqualTo(2));
        clock.Advance(StatusLine.Between);
        clock.Advance(StatusLine.Between);
        Assert.That(written, Has.Count.EqualTo(2), "nothing has changed");

        line.Change();
        clock.Advance(Moment);
        Assert.That(written, Has.Count.EqualTo(3), "after a pause it is written at once");
    }

    [Test]
    public async Task A_change_every_moment_is_written_once_a_second()
    {
        var clock = new TestClock();
        int written = 0;
        await using var line = new StatusLine(() => written++, clock);
        for (int i = 0; i < 1000; i++)
        {
            line.Change();
            clock.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.That(written, Is.InRange(10, 11));
    }
}
