using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Fleet;

/// <summary>The vote on the board that gives pools their available backends.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BoardVoteTests
{
    private static readonly Instant Now = new(TimeSpan.TicksPerDay);

    private readonly List<BackendState> _risen = [];
    private readonly HealthBoard _board;
    private readonly RoutingSnapshot _snapshot = Build(null);

    public BoardVoteTests()
    {
        _board = new HealthBoard { Rising = _risen.Add };
        _board.Sync(_snapshot, Now);
        foreach (Backend backend in Pool.Backends)
        {
            Probe(backend.Index, ProbeOutcome.Success);
        }
    }

    private Pool Pool => _snapshot.Pools[0];

    [Test]
    public void A_backend_that_only_this_balancer_holds_down_stays_in_the_picks_until_the_vote_ends()
    {
        _board.Apply(Peers((2, 0)), Now);
        Probe(0, ProbeOutcome.Failure);
        Assert.That((Pool.HealthOf(0), Pool.Backends[0].State.Health.ByProbes), Is.EqualTo((HealthState.Up, HealthState.Down)));
        Assert.That(_board.BallotOf(Pool.Backends[0].State), Is.EqualTo(new Ballot(HealthState.Down, true, new PeerViews.Count(2, 0), true)));

        Assert.That(_board.Apply(Peers((2, 1)), Now).Select(t => t.Backend.Name), Is.EqualTo(new[] { "b0" }));
        Assert.That(Pool.HealthOf(0), Is.EqualTo(HealthState.Down));

        Assert.That(_board.Apply(Peers((2, 0)), Now), Has.Count.EqualTo(1));
        Assert.That((Pool.HealthOf(0), _risen.Select(r => r.Name)), Is.EqualTo((HealthState.Up, new[] { "b0" })).UsingPropertiesComparer());

        _board.Apply(null, Now);
        Assert.That(Pool.HealthOf(0), Is.EqualTo(HealthState.Down), "without the store each decides alone");
    }

    [Test]
    public void A_backend_that_the_others_hold_down_leaves_the_picks_and_says_why()
    {
        _board.Apply(Peers((2, 2)), Now);

        Assert.That((Pool.HealthOf(0), Pool.StatusOf(0), Pool.Takes(0)), Is.EqualTo((HealthState.Down, BackendStatus.Down, false)));
        Assert.That(Pool.Backends[0].State.Health.Detail, Is.EqualTo("held down by 2 of the 3 balancers that probe it"));
        Assert.That(Pool.Backends[0].State.Health.ByProbes, Is.EqualTo(HealthState.Up), "what is published is what the own probes say");

        _board.Apply(Peers((2, 0)), Now);
        Assert.That((Pool.Takes(0), Pool.Backends[0].State.Health.Detail), Is.EqualTo((true, "")));
    }

    [Test]
    public void The_last_backend_is_kept_also_where_an_operator_takes_the_other_one_out()
    {
        _board.Apply(Peers((2, 2)), Now);
        Assert.That(Pool.Takes(0), Is.False);

        Pool.SetMode(1, BackendMode.Draining);
        Assert.That(_board.Judge(Pool, Now).Select(b => b.Name), Is.EqualTo(new[] { "b0" }));
        Assert.That(Pool.Takes(0), Is.True);
    }

    [Test]
    public void A_report_about_one_backend_also_reports_another_that_the_vote_turns_with_it()
    {
        List<(string Backend, HealthState Now)> turned = [];
        _board.Turned = (pool, backend) => turned.Add((backend.Name, pool.HealthOf(backend.Index)));
        _board.Apply(Peers((1, 1)), Now);
        Assert.That(Pool.Takes(0), Is.False);

        Probe(1, ProbeOutcome.Failure);
        Assert.That((Pool.Takes(0), Pool.Takes(1)), Is.EqualTo((true, false)), "the last one that answers here is kept");
        Probe(1, ProbeOutcome.Success);
        Assert.That((Pool.Takes(0), Pool.Takes(1)), Is.EqualTo((false, true)));
        Assert.That(turned, Is.EqualTo(new[] { ("b0", HealthState.Up), ("b0", HealthState.Down) }));
    }

    [Test]
    public void Another_snapshot_keeps_the_verdicts_and_a_new_backend_waits_for_the_own_probe()
    {
        _board.Apply(Peers((2, 2)), Now);
        RoutingSnapshot next = Build(_snapshot, backends: 3);
        _board.Mark(next);

        Assert.That(Enumerable.Range(0, 3).Select(next.Pools[0].HealthOf), Is.EqualTo(new[] { HealthState.Down, HealthState.Up, HealthState.Checking }));
        _board.Sync(next, Now);
        Assert.That(next.Pools[0].HealthOf(0), Is.EqualTo(HealthState.Down));
    }

    [Test]
    public void What_clients_have_found_out_is_not_outvoted()
    {
        _board.Apply(Peers((2, 0)), Now);
        BackendState state = Pool.Backends[0].State;
        for (int i = 0; i < Pool.Settings.Passive.Failures; i++)
        {
            state.Connects.CountFailed("of the test", Pool.Settings.Passive.Failures, trial: 0);
        }

        _board.OnPassiveEvent(state, PassiveHealthEvent.Failing, Now);
        Assert.That((Pool.HealthOf(0), state.Health.ByProbes), Is.EqualTo((HealthState.Down, (HealthState?)null)));
    }

    private static PeerViews Peers((int See, int Down) first)
    {
        FleetMember Member(int i) => new($"lb{i}", "")
        {
            Health = FleetMember.NoHealth.Add(
                "p", FleetMember.NoBackends.Add("b0", i < first.Down ? HealthState.Down : HealthState.Up).Add("b1", HealthState.Up)),
        };
        return FleetMember.ViewsOf([.. Enumerable.Range(0, first.See).Select(Member), new FleetMember("self", "") { Health = Member(0).Health }], "self");
    }

    private static RoutingSnapshot Build(RoutingSnapshot? previous, int backends = 2) => RoutingSnapshot.Build(
        new(new BalancerConfig { Pools = [SetupScene.PoolOf(backends) with { Health = new HealthSettings { Fall = 1, Rise = 1 } }] }, 100), previous);

    private void Probe(int backend, ProbeOutcome outcome) => _board.Report(Pool.Backends[backend], outcome, "of the test", Now);
}
