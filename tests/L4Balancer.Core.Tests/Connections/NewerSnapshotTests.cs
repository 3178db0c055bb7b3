using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>A connection that is still being set up goes by the snapshot that is in force by then, not by the one that admitted it.</summary>
internal sealed class NewerSnapshotTests
{
    private static readonly PoolSettings Two = SetupScene.PoolOf(2);

    [Test]
    public void Who_waits_for_his_turn_goes_elsewhere_where_a_later_snapshot_has_no_place_for_him()
    {
        var scene = new SetupScene(Two with { NewConnectionRate = 10 });
        scene.Accept();
        SetupAttempt waiting = scene.Accept();
        int home = waiting.Backend;
        Assert.That(waiting.Action, Is.EqualTo(SetupAction.Wait));
        scene.Reload(scene.Pool.Settings);
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [home] = HealthState.Down });

        waiting.MissDeadline();

        Assert.That((waiting.Action, waiting.Backend), Is.EqualTo((SetupAction.Connect, 1 - home)));
        Assert.That((scene.Backend(home).Load, scene.Backend(1 - home).Load), Is.EqualTo((1, 1)));
    }

    [Test]
    public void Who_waits_for_his_turn_keeps_it_where_the_backend_is_still_there()
    {
        var scene = new SetupScene(Two with { NewConnectionRate = 10 });
        scene.Accept();
        SetupAttempt waiting = scene.Accept();
        string home = waiting.Record.Backend!.Name;
        scene.Reload(scene.Pool.Settings with { Backends = [Two.Backends[1], Two.Backends[0]] });

        waiting.MissDeadline();

        Assert.That((waiting.Action, waiting.Record.Backend!.Name), Is.EqualTo((SetupAction.Connect, home)));
        Assert.That(waiting.Record.Backend, Is.SameAs(scene.Backend(waiting.Backend)));
    }

    [Test]
    public void Who_has_failed_at_a_backend_is_not_sent_there_again_though_it_stands_elsewhere_now()
    {
        var scene = new SetupScene(Two);
        SetupAttempt attempt = scene.Accept();
        string home = attempt.Record.Backend!.Name;
        scene.Reload(Two with { Backends = [Two.Backends[1], Two.Backends[0]] });

        attempt.Fail(ConnectFailure.Refused);

        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Connect));
        Assert.That(attempt.Record.Backend!.Name, Is.Not.EqualTo(home));
    }

    [Test]
    public void Another_pool_serves_who_has_waited_in_the_one_that_his_listener_has_left()
    {
        var scene = new SetupScene(Two with { NewConnectionRate = 10 });
        CellsOf(scene, out BackendState[] before);
        scene.Accept();
        SetupAttempt waiting = scene.Accept();
        scene.Reload(Two with { Name = "q" });

        waiting.MissDeadline();

        Assert.That((waiting.Action, waiting.Record.Pool.Name), Is.EqualTo((SetupAction.Connect, "q")));
        waiting.Abandon(CloseReason.ClientReset);
        Assert.That(before.Sum(c => c.Load), Is.EqualTo(1), "the one that is still connecting there");
        Assert.That(scene.Pool.Backends.Sum(b => b.State.Load), Is.Zero);
    }

    private static void CellsOf(SetupScene scene, out BackendState[] states) => states = [.. scene.Pool.Backends.Select(b => b.State)];

    [Test]
    public void A_connect_to_an_address_that_the_backend_has_left_says_nothing_of_the_new_one()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1) with { ConnectAttempts = 1 });
        SetupAttempt old = scene.Accept();
        scene.Backend(0).Connects.BeginEpoch();
        SetupAttempt fresh = scene.Accept();

        old.Fail(ConnectFailure.Refused);
        Assert.That(scene.Backend(0).Connects.FailedInARow, Is.Zero);
        fresh.Fail(ConnectFailure.Refused);
        Assert.That(scene.Backend(0).Connects.FailedInARow, Is.EqualTo(1));
    }
}
