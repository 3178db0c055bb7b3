using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Fleet;

/// <summary>Which setting of an operator holds: the one that the fleet's store has, or the one of this balancer.</summary>
internal sealed class IntentMergeTests
{
    private const int FileWeight = 100;

    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Test]
    public void What_the_store_says_holds_and_counts_as_shared()
    {
        BackendOverride merged = Over(default, Drain(1));

        Assert.That((merged.Mode, merged.ModeOrigin!.IsShared, merged.ModeOrigin.Who), Is.EqualTo((BackendMode.Draining, true, "store")));
    }

    [Test]
    public void What_was_set_before_the_store_was_read_gives_way_to_it()
    {
        // As a state file of a balancer that was alone has it, and as one has it that shared it.
        var alone = new BackendOverride(BackendMode.Maintenance, 7);
        BackendOverride shared = alone with { ModeOrigin = At(9) with { IsShared = true }, WeightOrigin = At(9) with { IsShared = true } };

        Assert.That(Over(alone, null).IsEmpty, Is.True);
        Assert.That(Over(shared, null).IsEmpty, Is.True);
        Assert.That(Over(shared, Drain(1)).Mode, Is.EqualTo(BackendMode.Draining));
    }

    [TestCase(1, 2, ExpectedResult = BackendMode.Maintenance)]
    [TestCase(2, 1, ExpectedResult = BackendMode.Draining)]
    [TestCase(2, 2, ExpectedResult = BackendMode.Draining)]
    public BackendMode Of_two_settings_the_later_one_holds(int there, int here)
    {
        var local = new BackendOverride(BackendMode.Maintenance, null) { ModeOrigin = At(here) };
        FleetIntent? written = IntentMerge.ToShare(local, Drain(there), FileWeight);

        Assert.That(written is not null, Is.EqualTo(here > there), "only what is later is written");
        return Over(local, Drain(there)).Mode;
    }

    [Test]
    public void Mode_and_weight_are_decided_each_for_itself()
    {
        var local = new BackendOverride(BackendMode.Ready, 20) { ModeOrigin = At(1), WeightOrigin = At(9) };
        FleetIntent there = Drain(5) with { Weight = new WeightIntent(50, FileWeight, At(5)) };

        BackendOverride merged = Over(local, there);
        FleetIntent written = IntentMerge.ToShare(local, there, FileWeight)!;

        Assert.That((merged.Mode, merged.Weight), Is.EqualTo((BackendMode.Draining, (int?)20)));
        Assert.That((written.Mode!.Mode, written.Weight!.Weight), Is.EqualTo((BackendMode.Draining, 20)));
    }

    [Test]
    public void Ready_that_is_not_shared_yet_lifts_an_older_drain_of_the_store_and_leaves_nothing_once_it_is_shared()
    {
        var local = new BackendOverride(BackendMode.Ready, null) { ModeOrigin = At(5) };
        Assert.That(local.IsEmpty, Is.False, "it is kept until it is shared");
        FleetIntent written = IntentMerge.ToShare(local, Drain(1), FileWeight)!;

        Assert.That(written.Mode!.Mode, Is.EqualTo(BackendMode.Ready));
        Assert.That(Over(local, Drain(1)).Mode, Is.EqualTo(BackendMode.Ready));
        Assert.That(Over(local, written).IsEmpty, Is.True);

        // Another balancer's older drain, which was not shared in time, comes too late.
        var late = new BackendOverride(BackendMode.Draining, null) { ModeOrigin = At(3) };
        Assert.That(IntentMerge.ToShare(late, written, FileWeight), Is.Null);
        Assert.That(Over(late, written).IsEmpty, Is.True);
    }

    [TestCase(100, ExpectedResult = 50)]
    [TestCase(60, ExpectedResult = null)]
    [TestCase(null, ExpectedResult = 50)]
    public int? A_weight_holds_where_the_file_has_the_weight_that_it_was_set_against_or_not_the_backend(int? fileWeight) =>
        IntentMerge.Over(default, new FleetIntent(null, new WeightIntent(50, 100, At(1))), fileWeight, Now).Weight;

    [Test]
    public void What_was_set_for_a_time_ends_by_itself()
    {
        OverrideOrigin hour = At(0) with { Until = Now.AddHours(1) };
        var there = new FleetIntent(new ModeIntent(BackendMode.Draining, hour), new WeightIntent(5, FileWeight, hour));
        BackendOverride before = Over(default, there, Now.AddMinutes(59));

        Assert.That((before.Mode, before.Weight, before.Ends), Is.EqualTo((BackendMode.Draining, (int?)5, hour.Until)));
        Assert.That(Over(before, there, Now.AddHours(1)).IsEmpty, Is.True);
        Assert.That((there.IsSpent(Now.AddMinutes(59)), there.IsSpent(Now.AddHours(1))), Is.EqualTo((false, true)));
    }

    [Test]
    public void What_lifts_a_setting_is_forgotten_after_a_day()
    {
        var lifted = new FleetIntent(new ModeIntent(BackendMode.Ready, At(0)), new WeightIntent(FileWeight, FileWeight, At(0)));

        Assert.That((lifted.IsSpent(Now.AddHours(23)), lifted.IsSpent(Now.AddHours(25)), Drain(0).IsSpent(Now.AddYears(1))), Is.EqualTo((false, true, false)));
    }

    [Test]
    public void What_a_store_has_lost_is_shared_again()
    {
        BackendOverride held = Over(default, Drain(1));
        BackendOverride again = IntentMerge.Unshared(held, "nobody", Now);

        Assert.That(Over(again, null).Mode, Is.EqualTo(BackendMode.Draining));
        Assert.That(IntentMerge.ToShare(again, null, FileWeight)!.Mode!.Origin.Who, Is.EqualTo("store"));
        Assert.That(IntentMerge.Unshared(new BackendOverride(BackendMode.Maintenance, null), "nobody", Now).ModeOrigin!.Who, Is.EqualTo("nobody"));
        Assert.That(IntentMerge.Unshared(default, "nobody", Now).IsEmpty, Is.True);
    }

    [Test]
    public void A_later_request_is_later_even_if_its_clock_is_behind()
    {
        DateTimeOffset known = Now.AddSeconds(5);

        Assert.That(OverrideOrigin.After(known, Now), Is.EqualTo(known.AddMilliseconds(1)));
        Assert.That(OverrideOrigin.After(null, Now.AddTicks(7)), Is.EqualTo(Now), "whole milliseconds");
    }

    /// <summary>Any order of settings on three balancers, shared at any time, ends with the latest one on all.</summary>
    [Test]
    public void Balancers_that_share_everything_agree_whatever_the_order([Range(1, 20)] int seed)
    {
        var random = new Random(seed);
        var balancers = new BackendOverride[3];
        FleetIntent? store = null;
        int latest = 0;
        BackendMode expected = BackendMode.Ready;
        for (int step = 1; step <= 60; step++)
        {
            int one = random.Next(3);
            if (random.Next(2) == 0)
            {
                expected = (BackendMode)random.Next(3);
                latest = step;
                balancers[one] = balancers[one] with { Mode = expected, ModeOrigin = At(step) };
            }
            else
            {
                store = IntentMerge.ToShare(balancers[one], store, FileWeight) ?? store;
                balancers[one] = Over(balancers[one], store);
            }
        }

        foreach (int i in (int[])[0, 1, 2, 0, 1, 2])
        {
            store = IntentMerge.ToShare(balancers[i], store, FileWeight) ?? store;
            balancers[i] = Over(balancers[i], store);
        }

        Assert.That(balancers.Select(b => b.Mode), Is.All.EqualTo(expected), $"set last at {latest}");
        Assert.That(balancers.Any(IntentMerge.IsPending), Is.False);
    }

    [Test]
    public void Intents_hold_for_the_backends_that_the_file_has()
    {
        var intents = new FleetIntents(ImmutableDictionary<(string, string), FleetIntent>.Empty
            .Add(("p", "b0"), Drain(1)).Add(("p", "gone"), Drain(1)).Add(("other", "b0"), Drain(1)));
        var config = new BalancerConfig { Pools = [SetupScene.PoolOf(2)] };

        var desired = new DesiredState(config, 100);
        BackendOverrides merged = intents.Over(desired, Now);

        Assert.That(merged.All.Select(o => (o.Pool, o.Backend, o.Set.Mode)), Is.EqualTo(new[] { ("p", "b0", BackendMode.Draining) }));
        desired = desired with { Overrides = merged };
        Assert.That(intents.Over(desired, Now), Is.SameAs(merged), "nothing has changed");
        Assert.That(FleetIntents.None.Over(desired, Now).All, Is.Empty, "the store no longer has it");
    }

    private static BackendOverride Over(BackendOverride local, FleetIntent? shared, DateTimeOffset? now = null) =>
        IntentMerge.Over(local, shared, FileWeight, now ?? Now);

    private static FleetIntent Drain(int at) => new(new ModeIntent(BackendMode.Draining, At(at) with { Who = "store" }), null);

    private static OverrideOrigin At(int seconds) => new("here", Now.AddSeconds(seconds), null);
}
