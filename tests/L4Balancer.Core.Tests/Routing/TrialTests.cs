using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>The one connection that is let through to a backend that is down, where no probe asks after it.</summary>
internal sealed class TrialTests
{
    [Test]
    public void Without_probes_exactly_one_connection_is_let_through_after_the_retry()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(2));
        scene.TakeDown(0);
        scene.Pass(9.9);
        Assert.That(scene.Homes(200), Is.All.EqualTo(1));

        scene.Pass(0.1);
        int[] homes = scene.Homes(200, leave: false);

        Assert.That(homes.Count(h => h == 0), Is.EqualTo(1));
        Assert.That(homes, Is.All.AnyOf(0, 1), "nobody is refused for it");
        Assert.That(scene.Pool.StatusOf(0), Is.EqualTo(BackendStatus.Down));
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

        Assert.That((scene.OnPassiveEvent(), scene.Pool.StatusOf(0)), Is.EqualTo((1, BackendStatus.Up)));
        Assert.That(scene.Homes(10), Is.All.Zero);
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
            Assert.That((scene.News, scene.OnPassiveEvent(), scene.Homes(10).Max()), Is.EqualTo((1, 0, -1)));
            scene.Pass(9.9);
            Assert.That(scene.Homes(10).Max(), Is.EqualTo(-1));
            scene.Pass(0.1);
            scene.Accept(1).Fail(ConnectFailure.Refused);
            scene.OnPassiveEvent();
        }

        Assert.That(scene.Pool.Backends[0].State.Health.Transitions, Is.EqualTo(1), "it was down all the time");
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
        Assert.That(scene.OnPassiveEvent(), Is.EqualTo(1));
    }

    [Test]
    public void The_one_that_nobody_is_may_come_at_any_time()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        scene.Pass(10);
        scene.Pass(100_000);

        scene.Accept(1).Succeed();
        Assert.That(scene.OnPassiveEvent(), Is.EqualTo(1));
    }

    [Test]
    public void Backups_serve_while_the_only_primary_is_on_trial()
    {
        PoolSettings settings = PassiveScene.Unprobed(2);
        PassiveScene scene = new(settings with { Backends = [settings.Backends[0], settings.Backends[1] with { Backup = true }] });
        scene.TakeDown(0);
        scene.Pass(10);

        Assert.That(scene.Homes(20, leave: false), Is.EqualTo((int[])[0, .. Enumerable.Repeat(1, 19)]));
    }

    [Test]
    public void Every_kind_of_balancing_lets_one_through([Values] BalanceKind balance)
    {
        PassiveScene scene = new(PassiveScene.Unprobed(3) with { Balance = balance, BoundedLoad = 1.25 });
        scene.TakeDown(2);
        scene.Pass(10);

        Assert.That(scene.Homes(500, leave: false).Count(h => h == 2), Is.EqualTo(1));
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
        for (ushort port = 1; scene.Pool.Backends.Any(b => b.State.Connects.IsTrialFree); port++)
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
    public void One_that_goes_and_comes_leaves_no_plans_behind()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(2));
        for (int i = 0; i < 100; i++)
        {
            PassiveScene.Visitor late = scene.Accept(9);
            scene.TakeDown(late.Backend);
            late.Succeed();
            scene.OnPassiveEvent();
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
            scene.Pool.Backends[0].State.Connects.CountFailed("again", 3, trial: round + 1);
            scene.Snapshot.ConnectReports.Handler!(scene.Pool.Backends[0].State, Core.Accounting.PassiveHealthEvent.TrialFailed);
            scene.OnPassiveEvent();
        }
    }
}
