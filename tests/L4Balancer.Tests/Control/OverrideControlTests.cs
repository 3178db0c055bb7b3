using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Control;

/// <summary>When what was set for a limited time is looked at, on a clock that a test moves itself.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class OverrideControlTests
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private int _due;

    [Test]
    public async Task It_is_looked_at_when_it_ends_and_soon_where_the_clock_was_set()
    {
        await using var control = new OverrideControl(() => _due++, _clock);
        control.Follow(DrainedFor(TimeSpan.FromSeconds(30)));
        _clock.Advance(TimeSpan.FromSeconds(29));
        Assert.That(_due, Is.Zero);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.That(_due, Is.EqualTo(1));

        control.Follow(DrainedFor(TimeSpan.FromHours(8)));
        _clock.AdjustTime(_clock.GetUtcNow() + TimeSpan.FromHours(9));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That(_due, Is.EqualTo(2));
    }

    [Test]
    public async Task What_has_ended_and_is_not_lifted_is_not_tried_without_a_pause()
    {
        DesiredState desired = DrainedFor(TimeSpan.Zero);
        OverrideControl? control = null;
        control = new OverrideControl(
            () =>
            {
                _due++;
                control!.Follow(desired);
            },
            _clock);
        await using (control)
        {
            control.Follow(desired);
            for (int i = 0; i < 100; i++)
            {
                _clock.Advance(TimeSpan.FromMilliseconds(100));
            }

            Assert.That(_due, Is.InRange(9, 10));
        }
    }

    private DesiredState DrainedFor(TimeSpan time) => new DesiredState(new BalancerConfig(), 100).WithOverride(
        "chat", "ws1", new BackendOverride(BackendMode.Draining, null)
        {
            ModeOrigin = new OverrideOrigin("of the test", _clock.GetUtcNow(), _clock.GetUtcNow() + time),
        });
}
