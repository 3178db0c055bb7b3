using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>What the connects of clients say of a backend.</summary>
internal sealed class PassiveHealthTests
{
    [Test]
    public void So_many_failed_connects_in_a_row_take_a_backend_down_and_say_why()
    {
        PassiveScene scene = new(PassiveScene.Probed(2));
        scene.Fail(0, times: 2);
        Assert.That(scene.News, Is.Zero);

        scene.Fail(0, times: 1);

        Assert.That((scene.News, scene.Hear(), scene.Pool.StateOf(0)), Is.EqualTo((1, 1, BackendState.Down)));
        Assert.That(scene.Pool.Backends[0].Cell.Health.Detail, Is.EqualTo("3 connects in a row failed: connection refused"));
        Assert.That(Homes(scene, 200), Is.All.EqualTo(1));
    }

    [Test]
    public void A_connect_that_succeeds_starts_the_count_anew()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        scene.Fail(0, times: 2);
        scene.Accept(1).Succeed();
        scene.Fail(0, times: 2);

        Assert.That((scene.News, scene.Pool.Backends[0].Cell.Connects.FailedInARow), Is.EqualTo((0, 2)));
    }

    [TestCase(ConnectFailure.Refused, ExpectedResult = true)]
    [TestCase(ConnectFailure.Unreachable, ExpectedResult = true)]
    [TestCase(ConnectFailure.TimedOut, ExpectedResult = true)]
    [TestCase(ConnectFailure.NoFreePort, ExpectedResult = false)]
    [TestCase(ConnectFailure.SourceUnusable, ExpectedResult = false)]
    [TestCase(ConnectFailure.LocalShortage, ExpectedResult = false)]
    [TestCase(ConnectFailure.NoSuchFamily, ExpectedResult = false)]
    [TestCase(ConnectFailure.NotPermitted, ExpectedResult = false)]
    public bool Our_own_shortages_never_count(ConnectFailure failure)
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        for (ushort i = 0; i < 10; i++)
        {
            scene.Accept(i).Fail(failure);

            // What the kernel refused a moment ago is not asked for again.
            scene.Pass(0.2);
        }

        return scene.Hear() == 1;
    }

    [Test]
    public void What_a_client_causes_never_counts()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        for (ushort i = 0; i < 10; i++)
        {
            scene.Accept(i).Leave();
        }

        Assert.That((scene.News, scene.Pool.Backends[0].Cell.Connects.FailedInARow), Is.EqualTo((0, 0)));
    }

    [Test]
    public void However_many_fail_it_is_told_once()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        PassiveScene.Visitor[] visitors = [.. Enumerable.Range(0, 50).Select(i => scene.Accept((ushort)i))];
        Array.ForEach(visitors, v => v.Fail(ConnectFailure.TimedOut));
        Assert.That(scene.News, Is.EqualTo(1));
        scene.Hear();

        scene.Pass(3600);
        Assert.That((scene.News, scene.Pool.HealthOf(0)), Is.EqualTo((0, HealthState.Down)), "where there are probes nobody is let try");
    }

    [Test]
    public void One_that_succeeds_before_the_writer_has_heard_of_it_keeps_the_backend_up()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        PassiveScene.Visitor late = scene.Accept(9);
        scene.Fail(0, times: 3);
        late.Succeed();

        Assert.That((scene.Hear(), scene.Pool.HealthOf(0)), Is.EqualTo((0, HealthState.Up)));
        scene.TakeDown(0);
    }

    [Test]
    public void What_nobody_heard_is_told_again_the_next_time([Values] bool isProbed)
    {
        PassiveScene scene = new(isProbed ? PassiveScene.Probed(1) : PassiveScene.Unprobed(1));
        PassiveScene.Visitor late = scene.Accept(9);
        scene.Fail(0, times: 3);
        scene.Lose();
        late.Succeed();
        Assert.That((scene.Hear(), scene.Pool.HealthOf(0)), Is.EqualTo((0, HealthState.Up)));

        scene.TakeDown(0);
    }

    [Test]
    public void With_probes_it_is_they_who_bring_it_back()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        PassiveScene.Visitor late = scene.Accept(9);
        scene.TakeDown(0);
        late.Succeed();
        Assert.That((scene.Hear(), scene.Pool.HealthOf(0)), Is.EqualTo((0, HealthState.Down)), "rise is rise");
        Assert.That(scene.Pool.Backends[0].Cell.Health.Pace, Is.EqualTo(ProbePace.Fast));

        scene.Report(0, ProbeOutcome.Success);
        Assert.That(scene.Report(0, ProbeOutcome.Success), Is.True);
        scene.TakeDown(0);
    }

    [Test]
    public void Without_probes_exactly_one_connection_is_let_through_after_the_retry()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(2));
        scene.TakeDown(0);
        scene.Pass(9.9);
        Assert.That(Homes(scene, 200), Is.All.EqualTo(1));

        scene.Pass(0.1);
        int[] homes = Homes(scene, 200, leave: false);

        Assert.That(homes.Count(h => h == 0), Is.EqualTo(1));
        Assert.That(homes, Is.All.AnyOf(0, 1), "nobody is refused for it");
        Assert.That(scene.Pool.StateOf(0), Is.EqualTo(BackendState.Down));
    }

    [Test]
    public void The_one_that_succeeds_brings_it_back()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        scene.Pass(10);
        PassiveScene.Visitor trial = scene.Accept(1);
        Assert.That(scene.Accept(2).Step.Reason, Is.EqualTo(Core.Accounting.CloseReason.NoBackend), "the pool has nobody else");
        trial.Succeed();

        Assert.That((scene.Hear(), scene.Pool.StateOf(0)), Is.EqualTo((1, BackendState.Up)));
        Assert.That(Homes(scene, 10), Is.All.Zero);
        scene.TakeDown(0);
    }

    [Test]
    public void The_one_that_fails_has_it_wait_another_retry()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        for (int i = 0; i < 3; i++)
        {
            scene.Pass(10);
            scene.Accept(1).Fail(ConnectFailure.TimedOut);
            Assert.That((scene.News, scene.Hear(), Homes(scene, 10).Max()), Is.EqualTo((1, 0, -1)));
            scene.Pass(9.9);
            Assert.That(Homes(scene, 10).Max(), Is.EqualTo(-1));
            scene.Pass(0.1);
            scene.Accept(1).Fail(ConnectFailure.Refused);
            scene.Hear();
        }

        Assert.That(scene.Pool.Backends[0].Cell.Health.Transitions, Is.EqualTo(1), "it was down all the time");
    }

    [Test]
    public void The_one_whose_client_leaves_or_that_meets_a_shortage_of_ours_makes_room_for_the_next()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        scene.Pass(10);
        scene.Accept(1).Leave();
        scene.Accept(2).Fail(ConnectFailure.NoFreePort);
        scene.Pass(0.2);
        scene.Accept(3).Fail(ConnectFailure.LocalShortage);

        PassiveScene.Visitor last = scene.Accept(4);
        Assert.That((last.Backend, scene.Accept(5).Backend), Is.EqualTo((0, -1)));
        last.Succeed();
        Assert.That(scene.Hear(), Is.EqualTo(1));
    }

    [Test]
    public void The_one_that_nobody_is_may_come_at_any_time()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        scene.Pass(10);
        scene.Pass(100_000);

        scene.Accept(1).Succeed();
        Assert.That(scene.Hear(), Is.EqualTo(1));
    }

    [Test]
    public void Backups_serve_while_the_only_primary_is_on_trial()
    {
        PoolSettings settings = PassiveScene.Unprobed(2);
        PassiveScene scene = new(settings with { Backends = [settings.Backends[0], settings.Backends[1] with { Backup = true }] });
        scene.TakeDown(0);
        scene.Pass(10);

        Assert.That(Homes(scene, 20, leave: false), Is.EqualTo((int[])[0, .. Enumerable.Repeat(1, 19)]));
    }

    [Test]
    public void Every_kind_of_balancing_lets_one_through([Values] BalanceKind balance)
    {
        PassiveScene scene = new(PassiveScene.Unprobed(3) with { Balance = balance, BoundedLoad = 1.25 });
        scene.TakeDown(2);
        scene.Pass(10);

        Assert.That(Homes(scene, 500, leave: false).Count(h => h == 2), Is.EqualTo(1));
    }

    [Test]
    public void Below_the_panic_threshold_it_takes_connections_and_one_that_succeeds_brings_it_back()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1) with { PanicThreshold = 0.5 });
        PassiveScene.Visitor[] all = [.. Enumerable.Range(0, 3).Select(i => scene.Accept((ushort)i))];
        Array.ForEach(all, v => v.Fail(ConnectFailure.Refused));
        scene.Hear();
        scene.Pass(10);
        Assert.That((scene.Pool.StateOf(0), Homes(scene, 5).Max()), Is.EqualTo((BackendState.Down, 0)));

        scene.Accept(1).Succeed();
        Assert.That((scene.Hear(), scene.Pool.StateOf(0)), Is.EqualTo((1, BackendState.Up)));
    }

    [TestCase(1)]
    [TestCase(3)]
    public void Who_is_let_through_in_vain_goes_on_to_one_that_serves_and_tries_no_other(int attempts)
    {
        PassiveScene scene = new(PassiveScene.Unprobed(5) with { ConnectAttempts = attempts });
        for (int i = 0; i < 4; i++)
        {
            scene.TakeDown(i);
        }

        scene.Pass(10);
        for (ushort port = 1; scene.Pool.Backends.Any(b => b.Cell.Connects.IsTrialFree); port++)
        {
            PassiveScene.Visitor visitor = scene.Accept(port);
            if (visitor.Backend != 4)
            {
                visitor.Fail(ConnectFailure.TimedOut);
            }

            Assert.That(visitor.Backend, Is.EqualTo(4), visitor.Step.ToString());
            visitor.Leave();
        }

        Assert.That(scene.News, Is.EqualTo(4), "every one of them was tried");
    }

    [Test]
    public void One_whose_connects_work_again_may_be_found_failing_again()
    {
        PassiveScene scene = new(PassiveScene.Probed(1) with { PanicThreshold = 0.5 });
        scene.TakeDown(0);
        scene.Report(0, ProbeOutcome.Unfit);
        scene.Report(0, ProbeOutcome.Unfit);
        Assert.That(scene.Pool.HealthOf(0), Is.EqualTo(HealthState.Degraded));

        scene.Fail(0, times: 3);

        Assert.That((scene.Hear(), scene.Pool.HealthOf(0)), Is.EqualTo((1, HealthState.Down)));
    }

    [Test]
    public void One_that_goes_and_comes_leaves_no_plans_behind()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(2));
        for (int i = 0; i < 100; i++)
        {
            PassiveScene.Visitor late = scene.Accept(9);
            scene.TakeDown(late.Backend);
            late.Succeed();
            scene.Hear();
            Assert.That(scene.PlannedTrials, Is.LessThanOrEqualTo(5));
        }
    }

    [Test]
    public void Exactly_one_of_many_threads_is_let_through()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        for (int round = 0; round < 50; round++)
        {
            scene.Pass(10);
            int through = 0;
            Parallel.For(0, 32, i => Interlocked.Add(ref through, scene.Accept((ushort)i).Backend == 0 ? 1 : 0));
            Assert.That(through, Is.EqualTo(1));
            scene.Pool.Backends[0].Cell.Connects.CountFailed("again", 3, trial: round + 1);
            scene.Snapshot.Cell.OnConnectNews!(scene.Pool.Backends[0].Cell, Core.Accounting.ConnectNews.TrialFailed);
            scene.Hear();
        }
    }

    /// <summary>Where each of so many connections goes; -1: nowhere. They all come before the first leaves.</summary>
    private static int[] Homes(PassiveScene scene, int count, bool leave = true)
    {
        PassiveScene.Visitor[] visitors = [.. Enumerable.Range(0, count).Select(i => scene.Accept((ushort)(1000 + i)))];
        int[] homes = [.. visitors.Select(v => v.Backend)];
        foreach (PassiveScene.Visitor visitor in visitors.Where(v => leave && v.Backend >= 0))
        {
            visitor.Leave();
        }

        return homes;
    }
}
