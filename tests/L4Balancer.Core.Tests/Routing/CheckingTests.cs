using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Balancing;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>A backend of which nothing is known yet: one that joins a running balancer, and one whose address has changed.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class CheckingTests
{
    private static readonly Instant Now = new(TimeSpan.TicksPerDay);
    private static readonly FourTuple[] Tuples = Samples.Tuples(300);

    private readonly HealthBoard _board = new();
    private RoutingSnapshot? _snapshot;

    private Pool Pool => _snapshot!.Pools[0];

    [Test]
    public void At_the_start_every_backend_is_up_and_the_first_probe_decides_alone()
    {
        Put(SetupScene.PoolOf(2));
        Assert.That(States(), Is.EqualTo(new[] { BackendStatus.Up, BackendStatus.Up }));

        Report(0, ProbeOutcome.Failure);
        Assert.That(States(), Is.EqualTo(new[] { BackendStatus.Down, BackendStatus.Up }));
    }

    [TestCase(ProbeOutcome.Success, BackendStatus.Up, 0)]
    [TestCase(ProbeOutcome.Unfit, BackendStatus.Degraded, 1)]
    [TestCase(ProbeOutcome.Failure, BackendStatus.Down, 1)]
    public void A_backend_that_joins_gets_nobody_before_its_first_probe_which_decides_alone(ProbeOutcome outcome, BackendStatus state, int transitions)
    {
        Put(SetupScene.PoolOf(1));
        Put(SetupScene.PoolOf(2));
        Assert.That(States(), Is.EqualTo(new[] { BackendStatus.Up, BackendStatus.Checking }));
        Assert.That(Picks(), Is.EqualTo(new[] { 0 }));
        Assert.That((Pool.Takes(1), Pool.IsDown(1)), Is.EqualTo((false, false)));

        Report(1, outcome);
        Assert.That(States()[1], Is.EqualTo(state));
        Assert.That(Picks(), Is.EqualTo(outcome == ProbeOutcome.Success ? new[] { 0, 1 } : [0]));
        Assert.That(Pool.Backends[1].State.Health.Transitions, Is.EqualTo(transitions), "checking is no change between up, degraded and down");
    }

    [Test]
    public void A_shortage_of_the_balancer_decides_nothing_and_the_next_probe_comes_soon()
    {
        Put(SetupScene.PoolOf(1));
        Put(SetupScene.PoolOf(2));
        Report(1, ProbeOutcome.LocalError);

        Assert.That(States()[1], Is.EqualTo(BackendStatus.Checking));
        Assert.That(Pool.Backends[1].State.Health.Pace, Is.EqualTo(ProbePace.Fast));
    }

    [Test]
    public void Where_no_other_is_available_those_that_are_checked_serve_and_backups_come_before_them()
    {
        PoolSettings one = SetupScene.PoolOf(1);
        PoolSettings three = SetupScene.PoolOf(3);
        PoolSettings withBackup = one with { Backends = [one.Backends[0], three.Backends[2] with { Backup = true }] };
        Put(withBackup);
        Put(withBackup with { Backends = [three.Backends[0], three.Backends[1], three.Backends[2] with { Backup = true }] });
        Assert.That(Picks(), Is.EqualTo(new[] { 0 }));

        Report(0, ProbeOutcome.Failure);
        Assert.That(Picks(), Is.EqualTo(new[] { 2 }), "the backup is known to be up");
        Report(2, ProbeOutcome.Failure);
        Assert.That(Picks(), Is.EqualTo(new[] { 1 }), "it serves because no other backend does");
        Assert.That(Pool.HasAvailable, Is.True);
        Report(1, ProbeOutcome.Failure);
        Assert.That((Picks(), Pool.HasAvailable), Is.EqualTo((new[] { Pool.None }, false)));
    }

    [Test]
    public void A_pool_that_is_new_serves_at_once_and_only_the_good_ones_once_one_is_known()
    {
        Put(SetupScene.PoolOf(1));
        Put(SetupScene.PoolOf(3) with { Name = "q" });
        Assert.That(States(), Is.All.EqualTo(BackendStatus.Checking));
        Assert.That(Picks(), Is.EqualTo(new[] { 0, 1, 2 }));

        Report(1, ProbeOutcome.Success);
        Assert.That(Picks(), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void Many_that_join_at_once_are_no_reason_for_a_panic()
    {
        Put(SetupScene.PoolOf(2) with { PanicThreshold = 0.5 });
        Put(SetupScene.PoolOf(8) with { PanicThreshold = 0.5 });

        Assert.That(Picks(), Is.EqualTo(new[] { 0, 1 }));
    }

    [Test]
    public void Without_probes_a_backend_that_joins_is_up()
    {
        PoolSettings Unprobed(int backends) => SetupScene.PoolOf(backends) with { Health = new HealthSettings { Type = HealthType.None } };
        Put(Unprobed(1));
        Put(Unprobed(2));

        Assert.That(States(), Is.All.EqualTo(BackendStatus.Up));
    }

    [Test]
    public void What_is_known_of_another_address_is_neither_shown_nor_used()
    {
        Put(Named(), "10.0.0.1");
        Report(0, ProbeOutcome.Success);
        Backend before = Pool.Backends[0];
        Assert.That(before.State.Health.Last, Is.Not.Null);

        Put(Named(), "10.0.0.2");
        Assert.That(States(), Is.EqualTo(new[] { BackendStatus.Checking, BackendStatus.Up }));
        Assert.That((before.State.Health.Last, before.State.Health.Detail), Is.EqualTo(((LastProbe?)null, "")));
        Assert.That(Picks(), Is.EqualTo(new[] { 1 }));

        // The result of a probe of the old address arrives late.
        Assert.That(_board.Report(before, ProbeOutcome.Success, "", Now), Is.False);
        Assert.That((States()[0], before.State.Health.Last), Is.EqualTo((BackendStatus.Checking, (LastProbe?)null)));

        Report(0, ProbeOutcome.Failure);
        Assert.That(States()[0], Is.EqualTo(BackendStatus.Down));
        Assert.That(before.State.Health.Last!.Detail, Is.EqualTo("as probed"));
    }

    [Test]
    public void A_backend_that_was_down_is_checked_at_its_new_address_and_coming_up_there_counts_as_a_change()
    {
        Put(Named(), "10.0.0.1");
        Report(0, ProbeOutcome.Failure);
        Put(Named(), "10.0.0.2");
        Assert.That(States()[0], Is.EqualTo(BackendStatus.Checking));
        Report(0, ProbeOutcome.Success);

        Assert.That(States()[0], Is.EqualTo(BackendStatus.Up));
        Assert.That(Pool.Backends[0].State.Health.Transitions, Is.EqualTo(2));
    }

    [Test]
    public void A_name_that_resolves_for_the_first_time_is_checked()
    {
        Put(Named());
        Assert.That(States(), Is.EqualTo(new[] { BackendStatus.Down, BackendStatus.Up }), "it has no address");
        Put(Named(), "10.0.0.1");

        Assert.That(States(), Is.EqualTo(new[] { BackendStatus.Checking, BackendStatus.Up }));
    }

    [Test]
    public void A_backend_that_comes_back_into_the_file_is_checked_again()
    {
        Put(SetupScene.PoolOf(2));
        Report(1, ProbeOutcome.Success);
        Put(SetupScene.PoolOf(1));
        Put(SetupScene.PoolOf(2));

        Assert.That(States()[1], Is.EqualTo(BackendStatus.Checking));
        Assert.That(Pool.Backends[1].State.Health.Last, Is.Null);
    }

    [Test]
    public void Without_probes_a_report_of_failures_that_no_longer_holds_neither_moves_a_backend_nor_takes_it_down()
    {
        Put(Named() with { Health = new HealthSettings { Type = HealthType.None } }, "10.0.0.1", "10.0.0.2");
        BackendState state = Pool.Backends[0].State;
        Assert.That(_board.NextAddress(state, PassiveHealthEvent.Failing, out bool allFailed), Is.Null);
        Assert.That(allFailed, Is.False, "what fails from now on is reported again");

        PassiveHealthEvent[] told = [.. Enumerable.Range(0, 5).Select(_ => state.Connects.CountFailed("refused", 5, trial: 0))];
        Assert.That(told[^1], Is.EqualTo(PassiveHealthEvent.Failing));
        Assert.That(_board.NextAddress(state, PassiveHealthEvent.Failing, out allFailed)?.ToString(), Is.EqualTo("10.0.0.2"));
        Assert.That(allFailed, Is.False);
    }

    private static PoolSettings Named()
    {
        PoolSettings pool = SetupScene.PoolOf(2);
        return pool with { Backends = [pool.Backends[0] with { Address = "host.name:80", Endpoint = null, Host = new HostName("host.name", 80) }, pool.Backends[1]] };
    }

    // As the daemon does: what the engine sees first is what the board comes to.
    private void Put(PoolSettings pool, params string[] addresses)
    {
        var config = new BalancerConfig { Pools = [pool] };
        Dictionary<string, NameAnswer> answers = new() { ["host.name"] = new NameAnswer([.. addresses.Select(a => SetupScene.At($"{a}:80").Address)], "") };
        var desired = new DesiredState(config, 100) { Names = Resolutions.None.After(config, answers) };
        RoutingSnapshot next = RoutingSnapshot.Build(desired, _snapshot);
        if (_snapshot is not null)
        {
            _board.Mark(next);
        }

        _snapshot = next;
        BackendStatus[] marked = States();
        _board.Sync(next, Now);
        Assert.That(States(), Is.EqualTo(marked));
    }

    private void Report(int backend, ProbeOutcome outcome) => _board.Report(Pool.Backends[backend], outcome, "as probed", Now);

    private BackendStatus[] States() => [.. Pool.Backends.Select(b => Pool.StatusOf(b.Index))];

    // Who gets connections.
    private int[] Picks() => [.. Tuples.Select(t => Pool.Pick(t, [])).Distinct().Order()];
}
