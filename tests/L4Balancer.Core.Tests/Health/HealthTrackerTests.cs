using L4Balancer.Core.Health;

namespace L4Balancer.Core.Tests.Health;

/// <summary>Rise and fall of one backend.</summary>
internal sealed class HealthTrackerTests
{
    /// <summary>Outcomes of probes as letters (s, f, l for a local error), and the state after each (U, D).</summary>
    [TestCase("", "", TestName = "Backend_begins_up")]
    [TestCase("f", "D", TestName = "First_probe_that_fails_takes_a_backend_down_alone")]
    [TestCase("sfffs", "UUUDD", TestName = "Backend_falls_after_three_failures_in_a_row")]
    [TestCase("fss", "DDU", TestName = "Backend_returns_after_two_good_probes")]
    [TestCase("sffsffsfff", "UUUUUUUUUD", TestName = "Good_probe_starts_the_count_of_failures_anew")]
    [TestCase("fsfsfss", "DDDDDDU", TestName = "Failure_starts_the_count_of_good_probes_anew")]
    [TestCase("lf", "UD", TestName = "Local_error_decides_nothing_not_even_as_the_first_probe")]
    [TestCase("sfflf", "UUUUD", TestName = "Local_error_does_not_break_a_streak")]
    public void Follow(string outcomes, string states)
    {
        var tracker = new HealthTracker(rise: 2, fall: 3);
        Assert.That(tracker.IsUp, Is.True);
        for (int i = 0; i < outcomes.Length; i++)
        {
            bool before = tracker.IsUp;
            bool changed = tracker.Report(outcomes[i] switch { 's' => ProbeOutcome.Success, 'f' => ProbeOutcome.Failure, _ => ProbeOutcome.LocalError });
            using (Assert.EnterMultipleScope())
            {
                Assert.That(tracker.IsUp, Is.EqualTo(states[i] == 'U'), $"after {outcomes[..(i + 1)]}");
                Assert.That(changed, Is.EqualTo(tracker.IsUp != before), $"change after {outcomes[..(i + 1)]}");
            }
        }
    }

    [Test]
    public void Other_numbers_hold_from_the_next_probe_on()
    {
        var tracker = new HealthTracker(rise: 2, fall: 5);
        tracker.Report(ProbeOutcome.Success);
        tracker.Report(ProbeOutcome.Failure);

        tracker.Retune(rise: 1, fall: 2);

        Assert.That(tracker.Report(ProbeOutcome.Failure), Is.True, "the failure before counts on");
        Assert.That(tracker.Report(ProbeOutcome.Success), Is.True);
    }
}
