using L4Balancer.Control;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Control;

/// <summary>When names that change come into force, on a clock that a test moves itself.</summary>
internal sealed class NameControlTests
{
    [Test]
    public void Names_that_keep_changing_make_a_snapshot_a_second_the_first_ones_one_at_once()
    {
        var clock = new FakeTimeProvider();
        int settled = 0;
        using var names = new BackendNames(
            new NameResolver(static _ => new LookUp([], "no such name"), TimeProvider.System, static () => { }),
            TimeProvider.System,
            NullLogger<BackendNames>.Instance);
        using var control = new NameControl(names, static _ => { }, clock, NullLogger.Instance, () => settled++);
        control.Changed();
        control.Changed();
        clock.Advance(NameControl.Settle);
        Assert.That(settled, Is.EqualTo(1));

        for (int i = 0; i < 1000; i++)
        {
            control.Changed();
            clock.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.That(settled, Is.InRange(10, 12), "in ten seconds");
        clock.Advance(NameControl.SettleInStorm);
        clock.Advance(NameControl.SettleInStorm);
        settled = 0;
        control.Changed();
        clock.Advance(NameControl.Settle);
        Assert.That(settled, Is.EqualTo(1), "after a rest it is quick again");
    }
}
