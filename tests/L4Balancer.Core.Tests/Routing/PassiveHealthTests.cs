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

        Assert.That((scene.News, scene.OnPassiveEvent(), scene.Pool.StatusOf(0)), Is.EqualTo((1, 1, BackendStatus.Down)));
        Assert.That(scene.Pool.Backends[0].State.Health.Detail, Is.EqualTo("3 consecutive connects failed: connection refused"));
        Assert.That(scene.Homes(200), Is.All.EqualTo(1));
    }

    [Test]
    public void A_connect_that_succeeds_starts_the_count_anew()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        scene.Fail(0, times: 2);
        scene.Accept(1).Succeed();
        scene.Fail(0, times: 2);

        Assert.That((scene.News, scene.Pool.Backends[0].State.Connects.FailedInARow), Is.EqualTo((0, 2)));
    }

    [TestCase(ConnectFailure.Refused, ExpectedResult = true)]
    [TestCase(ConnectFailure.Unreachable, ExpectedResult = true)]
    [TestCase(ConnectFailure.TimedOut, ExpectedResult = true)]
    [TestCase(ConnectFailure.NoFreePort, ExpectedResult = false)]
    [TestCase(ConnectFailure.SourceUnusable, ExpectedResult = false)]
    [TestCase(ConnectFailure.LocalShortage, ExpectedResult = false)]
    [TestCase(ConnectFailure.NoSuchFamily, ExpectedResult = false)]
    [TestCase(ConnectFailure.NotPermitted, ExpectedResult = false)]
    [TestCase(ConnectFailure.NotObserved, ExpectedResult = false)]
    public bool Our_own_shortages_never_count(ConnectFailure failure)
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        for (ushort i = 0; i < 10; i++)
        {
            scene.Accept(i).Fail(failure);

            // What the kernel refused a moment ago is not asked for again.
            scene.Pass(0.2);
        }

        return scene.OnPassiveEvent() == 1;
    }

    [Test]
    public void What_a_client_causes_never_counts()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        for (ushort i = 0; i < 10; i++)
        {
            scene.Accept(i).Leave();
        }

        Assert.That((scene.News, scene.Pool.Backends[0].State.Connects.FailedInARow), Is.EqualTo((0, 0)));
    }

    [Test]
    public void However_many_fail_it_is_told_once()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        PassiveScene.Visitor[] visitors = [.. Enumerable.Range(0, 50).Select(i => scene.Accept((ushort)i))];
        Array.ForEach(visitors, v => v.Fail(ConnectFailure.TimedOut));
        Assert.That(scene.News, Is.EqualTo(1));
        scene.OnPassiveEvent();

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

        Assert.That((scene.OnPassiveEvent(), scene.Pool.HealthOf(0)), Is.EqualTo((0, HealthState.Up)));
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
        Assert.That((scene.OnPassiveEvent(), scene.Pool.HealthOf(0)), Is.EqualTo((0, HealthState.Up)));

        scene.TakeDown(0);
    }

    [Test]
    public void With_probes_it_is_they_who_bring_it_back()
    {
        PassiveScene scene = new(PassiveScene.Probed(1));
        PassiveScene.Visitor late = scene.Accept(9);
        scene.TakeDown(0);
        late.Succeed();
        Assert.That((scene.OnPassiveEvent(), scene.Pool.HealthOf(0)), Is.EqualTo((0, HealthState.Down)), "rise is rise");
        Assert.That(scene.Pool.Backends[0].State.Health.Pace, Is.EqualTo(ProbePace.Fast));

        scene.Report(0, ProbeOutcome.Success);
        Assert.That(scene.Report(0, ProbeOutcome.Success), Is.True);
        scene.TakeDown(0);
    }

    [Test]
    public void Below_the_panic_threshold_it_takes_connections_and_one_that_succeeds_brings_it_back()
    {
        PassiveScene scene = new(PassiveScene.Unprobed(1) with { PanicThreshold = 0.5 });
        PassiveScene.Visitor[] all = [.. Enumerable.Range(0, 3).Select(i => scene.Accept((ushort)i))];
        Array.ForEach(all, v => v.Fail(ConnectFailure.Refused));
        scene.OnPassiveEvent();
        scene.Pass(10);
        Assert.That((scene.Pool.StatusOf(0), scene.Homes(5).Max()), Is.EqualTo((BackendStatus.Down, 0)));

        scene.Accept(1).Succeed();
        Assert.That((scene.OnPassiveEvent(), scene.Pool.StatusOf(0)), Is.EqualTo((1, BackendStatus.Up)));
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

        Assert.That((scene.OnPassiveEvent(), scene.Pool.HealthOf(0)), Is.EqualTo((1, HealthState.Down)));
    }
}
