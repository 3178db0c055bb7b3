using L4Balancer.AccessLog;
using L4Balancer.Core.Timing;

namespace L4Balancer.Tests.AccessLog;

internal sealed class LineBudgetTests
{
    private static readonly Instant Start = new(TimeSpan.TicksPerDay);

    [Test]
    public void So_many_lines_pass_in_a_second_and_the_rest_is_counted()
    {
        var budget = new LineBudget(perSecond: 3);
        Assert.That(Enumerable.Range(0, 5).Select(_ => budget.TryTake(Start)), Is.EqualTo(new[] { true, true, true, false, false }));
        Assert.That(budget.HeldBack, Is.EqualTo(2));
    }

    [Test]
    public void The_next_second_has_a_budget_of_its_own()
    {
        var budget = new LineBudget(perSecond: 1);
        Assert.That(budget.TryTake(Start), Is.True);
        Assert.That(budget.TryTake(Start + TimeSpan.FromMilliseconds(999)), Is.False);
        Assert.That(budget.TryTake(Start + TimeSpan.FromMilliseconds(1000)), Is.True);
    }

    [Test]
    public void What_was_held_back_is_told_once_when_its_second_is_over()
    {
        var budget = new LineBudget(perSecond: 1);
        budget.TryTake(Start);
        budget.TryTake(Start);
        Assert.That(budget.TakeHeldBack(Start + TimeSpan.FromMilliseconds(500)), Is.Zero);
        Assert.That(budget.TakeHeldBack(Start + TimeSpan.FromMilliseconds(1000)), Is.EqualTo(1));
        Assert.That(budget.TakeHeldBack(Start + TimeSpan.FromMilliseconds(2000)), Is.Zero);
    }
}
