using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>What a reload makes of a backend that the connects of clients have taken down.</summary>
internal sealed class PassiveReloadTests
{
    private static readonly PassiveSettings Off = new() { Failures = 0 };

    [Test]
    public void It_stays_down_and_is_tried_when_it_would_have_been()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        scene.Pass(6);
        Assert.That(scene.Reload(PassiveScene.Unprobed(2)), Is.Empty);
        Assert.That(scene.Pool.StatusOf(0), Is.EqualTo(BackendStatus.Down));

        scene.Pass(4);
        Assert.That(scene.Pool.HealthOf(0), Is.EqualTo(HealthState.HalfOpen));
    }

    [Test]
    public void A_trial_that_is_under_way_counts_in_the_new_configuration()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        scene.Pass(10);
        PassiveScene.Visitor trial = scene.Accept(1);
        scene.Reload(PassiveScene.Unprobed(1) with { ConnectAttempts = 2 });
        Assert.That(scene.Accept(2).Backend, Is.EqualTo(-1), "there is one already");

        trial.Succeed();
        Assert.That((scene.OnPassiveEvent(), scene.Pool.StatusOf(0)), Is.EqualTo((1, BackendStatus.Up)));
    }

    [Test]
    public void A_shorter_retry_holds_at_once()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1) with { Passive = PassiveScene.Passive with { Retry = TimeSpan.FromHours(1) } });
        scene.TakeDown(0);
        scene.Reload(PassiveScene.Unprobed(1));
        scene.Pass(10);

        Assert.That(scene.Pool.HealthOf(0), Is.EqualTo(HealthState.HalfOpen));
    }

    [TestCase(HealthType.None)]
    [TestCase(HealthType.Tcp)]
    public void Switched_off_it_lets_the_backend_come_back(HealthType type)
    {
        PoolSettings settings = PassiveScene.Unprobed(1) with { Health = new HealthSettings { Type = type } };
        PassiveScene scene = new(settings);
        scene.TakeDown(0);

        IReadOnlyList<(Pool Pool, Backend Backend)> risen = scene.Reload(settings with { Passive = Off });

        Assert.That(risen.Single().Backend, Is.SameAs(scene.Pool.Backends[0]));
        Assert.That((scene.Pool.StatusOf(0), scene.Accept(1).Backend), Is.EqualTo((BackendStatus.Up, 0)));
        scene.Fail(0, times: 10);
        Assert.That(scene.News, Is.Zero);
    }

    [Test]
    public void Switched_off_it_leaves_down_whom_probes_call_down_too()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        scene.TakeDown(0);
        for (int i = 0; i < 3; i++)
        {
            scene.Report(0, ProbeOutcome.Failure);
        }

        Assert.That(scene.Reload(PassiveScene.Probed(1) with { Passive = Off }), Is.Empty);
        Assert.That(scene.Pool.StatusOf(0), Is.EqualTo(BackendStatus.Down));
    }

    [Test]
    public void With_probes_from_now_on_they_bring_it_back_and_nobody_is_let_try()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1));
        scene.TakeDown(0);
        scene.Pass(10);
        scene.Reload(PassiveScene.Probed(1));
        scene.Pass(100);
        Assert.That((scene.Pool.HealthOf(0), scene.Accept(1).Backend), Is.EqualTo((HealthState.Down, -1)));

        scene.Report(0, ProbeOutcome.Success);
        scene.Report(0, ProbeOutcome.Success);
        Assert.That(scene.Pool.StatusOf(0), Is.EqualTo(BackendStatus.Up));
    }

    [Test]
    public void Without_probes_from_now_on_one_is_let_try_after_the_retry()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        scene.TakeDown(0);
        scene.Reload(PassiveScene.Unprobed(1));
        Assert.That(scene.Pool.StatusOf(0), Is.EqualTo(BackendStatus.Down));

        scene.Pass(10);
        scene.Accept(1).Succeed();
        Assert.That((scene.OnPassiveEvent(), scene.Pool.StatusOf(0)), Is.EqualTo((1, BackendStatus.Up)));
    }

    [Test]
    public void Who_has_left_and_comes_back_begins_anew()
    {
        PoolSettings two = PassiveScene.Unprobed(2);
        PassiveScene scene = new(two);
        scene.TakeDown(1);
        scene.Reload(two with { Backends = [two.Backends[0]] });
        scene.Pass(100);
        scene.Reload(two);
        Assert.That(scene.Pool.StatusOf(1), Is.EqualTo(BackendStatus.Up));
        scene.TakeDown(1);
    }
}
