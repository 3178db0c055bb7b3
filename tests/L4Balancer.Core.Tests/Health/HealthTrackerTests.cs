using L4Balancer.Core.Health;

namespace L4Balancer.Core.Tests.Health;

/// <summary>The state of one backend, by what its probes say.</summary>
internal sealed class HealthTrackerTests
{
    /// <summary>Outcomes of probes as letters (s, f, u for unfit, l for a local error), and the state after each (U, G for degraded, D).</summary>
    [TestCase("", "", TestName = "Backend_begins_up")]
    [TestCase("f", "D", TestName = "First_probe_that_fails_takes_a_backend_down_alone")]
    [TestCase("u", "G", TestName = "First_probe_that_is_unfit_degrades_a_backend_alone")]
    [TestCase("sfffs", "UUUDD", TestName = "Backend_falls_after_three_failures_in_a_row")]
    [TestCase("fss", "DDU", TestName = "Backend_returns_after_two_good_probes")]
    [TestCase("sffsffsfff", "UUUUUUUUUD", TestName = "Good_probe_starts_the_count_of_failures_anew")]
    [TestCase("fsfsfss", "DDDDDDU", TestName = "Failure_starts_the_count_of_good_probes_anew")]
    [TestCase("lf", "UD", TestName = "Local_error_decides_nothing_not_even_as_the_first_probe")]
    [TestCase("sfflf", "UUUUD", TestName = "Local_error_does_not_break_a_streak")]
    [TestCase("suuu", "UUUG", TestName = "Three_unfit_probes_in_a_row_degrade_a_backend")]
    [TestCase("sffu", "UUUG", TestName = "One_connect_among_the_bad_probes_is_enough_not_to_be_down")]
    [TestCase("suff", "UUUG", TestName = "It_does_not_matter_which_of_the_bad_probes_it_was")]
    [TestCase("ufff", "GGGD", TestName = "Degraded_goes_down_after_three_failures_in_a_row")]
    [TestCase("uffuff", "GGGGGG", TestName = "Degraded_stays_while_connects_work_in_between")]
    [TestCase("uss", "GGU", TestName = "Degraded_returns_after_two_good_probes")]
    [TestCase("fuu", "DDG", TestName = "Down_is_degraded_when_connects_work_again")]
    [TestCase("fsu", "DDG", TestName = "A_good_probe_says_that_connects_work_too")]
    [TestCase("fusfuss", "DDGGGGU", TestName = "Down_comes_up_by_way_of_degraded")]
    [TestCase("fuluss", "DDDGGU", TestName = "Local_error_does_not_break_the_way_back")]
    public void Follow(string outcomes, string states)
    {
        var tracker = new HealthTracker(rise: 2, fall: 3);
        Assert.That(tracker.State, Is.EqualTo(HealthState.Up));
        for (int i = 0; i < outcomes.Length; i++)
        {
            HealthState before = tracker.State;
            bool changed = tracker.Report(Outcome(outcomes[i]));
            using (Assert.EnterMultipleScope())
            {
                Assert.That("UGD"[(int)tracker.State], Is.EqualTo(states[i]), $"after {outcomes[..(i + 1)]}");
                Assert.That(changed, Is.EqualTo(tracker.State != before), $"change after {outcomes[..(i + 1)]}");
            }
        }
    }

    /// <summary>And how soon the next probe comes: s for steady, f for fast, d for down.</summary>
    [TestCase("ssfsfff", "ssfsffd", TestName = "A_streak_towards_down_is_followed_fast")]
    [TestCase("ssuuuu", "ssffdd", TestName = "A_streak_towards_degraded_is_followed_fast")]
    [TestCase("ffsfss", "ddfdfs", TestName = "A_streak_towards_up_is_followed_fast")]
    [TestCase("fufuu", "dfdfd", TestName = "A_streak_from_down_to_degraded_is_followed_fast")]
    [TestCase("uufufff", "ddfdffd", TestName = "A_streak_from_degraded_to_down_is_followed_fast")]
    [TestCase("lsl", "sss", TestName = "Local_errors_do_not_change_the_pace")]
    public void Pace(string outcomes, string paces)
    {
        var tracker = new HealthTracker(rise: 2, fall: 3);
        Assert.That(tracker.Pace, Is.EqualTo(ProbePace.Steady));
        string paced = string.Concat(outcomes.Select(o =>
        {
            tracker.Report(Outcome(o));
            return "sfd"[(int)tracker.Pace];
        }));

        Assert.That(paced, Is.EqualTo(paces));
    }

    [Test]
    public void Who_is_taken_down_by_connects_is_probed_fast_until_a_probe_has_said_something_and_rises_by_probes()
    {
        var tracker = new HealthTracker(rise: 2, fall: 3);
        tracker.Report(ProbeOutcome.Success);
        tracker.Report(ProbeOutcome.Success);
        tracker.MarkDown();
        Assert.That((tracker.State, tracker.Pace, tracker.IsByConnects), Is.EqualTo((HealthState.Down, ProbePace.Fast, true)));

        tracker.Report(ProbeOutcome.LocalError);
        Assert.That(tracker.Pace, Is.EqualTo(ProbePace.Fast));
        tracker.Report(ProbeOutcome.Failure);
        Assert.That((tracker.State, tracker.Pace), Is.EqualTo((HealthState.Down, ProbePace.Down)));
        tracker.Report(ProbeOutcome.Success);
        Assert.That(tracker.State, Is.EqualTo(HealthState.Down), "what was good before does not count");
        tracker.Report(ProbeOutcome.Success);
        Assert.That((tracker.State, tracker.IsByConnects), Is.EqualTo((HealthState.Up, false)));
    }

    /// <summary>As <see cref="Follow"/>, from checking (C).</summary>
    [TestCase("s", "U")]
    [TestCase("f", "D")]
    [TestCase("u", "G")]
    [TestCase("llf", "CCD")]
    [TestCase("lsffs", "CUUUU")]
    public void From_checking_the_first_probe_with_a_result_decides_alone(string outcomes, string states)
    {
        var tracker = new HealthTracker(rise: 2, fall: 3);
        tracker.Report(ProbeOutcome.Success);
        tracker.Check();
        Assert.That((tracker.State, tracker.Pace), Is.EqualTo((HealthState.Checking, ProbePace.Fast)));
        string followed = string.Concat(outcomes.Select(o =>
        {
            tracker.Report(Outcome(o));
            return "UGDHC"[(int)tracker.State];
        }));

        Assert.That(followed, Is.EqualTo(states));
    }

    [Test]
    public void When_probes_say_down_as_well_it_is_no_longer_by_connects_alone()
    {
        var tracker = new HealthTracker(rise: 2, fall: 3);
        tracker.MarkDown();
        tracker.Report(ProbeOutcome.Failure);
        tracker.Report(ProbeOutcome.Failure);
        Assert.That(tracker.IsByConnects, Is.True);
        tracker.Report(ProbeOutcome.Failure);

        Assert.That(tracker.IsByConnects, Is.False);
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

    private static ProbeOutcome Outcome(char letter) => letter switch
    {
        's' => ProbeOutcome.Success,
        'f' => ProbeOutcome.Failure,
        'u' => ProbeOutcome.Unfit,
        _ => ProbeOutcome.LocalError,
    };
}
