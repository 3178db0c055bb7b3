using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>From accept to relay: which backend is asked, how often and when again.</summary>
internal sealed class ConnectionSetupTests
{
    [Test]
    public void Connection_that_succeeds_at_once_counts_one_attempt()
    {
        var scene = new SetupScene(SetupScene.PoolOf(3));
        SetupAttempt attempt = scene.Accept();
        Instant deadline = scene.Now + TimeSpan.FromSeconds(3);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(attempt.Action, Is.EqualTo(SetupAction.Connect));
            Assert.That(attempt.Step.Target, Is.EqualTo(scene.Pool.Backends[attempt.Backend].Endpoint));
            Assert.That(attempt.Step.Source, Is.Null, "the kernel chooses");
            Assert.That(attempt.Step.Deadline, Is.EqualTo(deadline));
            Assert.That((scene.Listener.Pending, scene.Listener.Open, scene.Snapshot.State.Open), Is.EqualTo((1, 1, 1)));
        }

        scene.Pass(TimeSpan.FromMilliseconds(20));
        attempt.Connected("10.9.9.9:1234");

        BackendState state = scene.Backend(attempt.Backend);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(attempt.Action, Is.EqualTo(SetupAction.Relay));
            Assert.That((state.ConnectAttempts, state.ConnectFailures.Total, state.Active), Is.EqualTo((1L, 0L, 1)));
            Assert.That((scene.Listener.Pending, scene.Listener.Open), Is.EqualTo((0, 1)));
            Assert.That(attempt.Record.LocalEndpoint, Is.EqualTo(SetupScene.At("10.9.9.9:1234")));
            Assert.That(attempt.Record.ConnectTime, Is.EqualTo(TimeSpan.FromMilliseconds(20)));
            Assert.That((attempt.Record.Attempts, attempt.Record.IsEstablished), Is.EqualTo((1, true)));
        }
    }

    [Test]
    public void Established_connection_that_closes_leaves_the_gauges_as_they_were()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));
        SetupAttempt attempt = scene.Accept();
        attempt.Connected();
        scene.Pass(TimeSpan.FromSeconds(7));

        attempt.Record.Close(scene.Snapshot.State, CloseReason.BackendClosed, wasFirst: false, scene.Now);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((scene.Backend(0).Active, scene.Listener.Open, scene.Snapshot.State.Open), Is.EqualTo((0, 0, 0)));
            Assert.That(scene.Backend(0).Closed[CloseReason.BackendClosed], Is.EqualTo(1));
            Assert.That((attempt.Record.Reason, attempt.Record.TotalTime), Is.EqualTo((CloseReason.BackendClosed, TimeSpan.FromSeconds(7))));
        }
    }

    [Test]
    public void Ids_are_unique_and_start_at_one()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));

        Assert.That((scene.Accept().Record.Id, scene.Accept().Record.Id), Is.EqualTo((1UL, 2UL)));
    }

    [Test]
    public void Every_backend_is_asked_before_one_is_asked_again()
    {
        var scene = new SetupScene(SetupScene.PoolOf(4) with { ConnectAttempts = 8 });
        SetupAttempt attempt = scene.Accept();
        var asked = new List<int>();
        for (int i = 0; i < 4; i++)
        {
            asked.Add(attempt.Backend);
            attempt.Fail(ConnectFailure.Refused);
        }

        Assert.That(asked, Is.Unique);
        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Wait));
        attempt.MissDeadline();
        Assert.That((attempt.Action, attempt.Backend), Is.EqualTo((SetupAction.Connect, asked[0])), "the hash's first choice again");
    }

    [TestCase(300, 300)]
    [TestCase(3000, 1000)]
    [TestCase(0, 1000)]
    public void Pause_before_the_same_again_is_the_connect_timeout_or_a_second(int timeout, int pause)
    {
        var scene = new SetupScene(SetupScene.PoolOf(1) with { ConnectTimeout = TimeSpan.FromMilliseconds(timeout) });
        SetupAttempt attempt = scene.Accept();

        attempt.Fail(ConnectFailure.Refused);

        Assert.That(attempt.Step.Deadline - scene.Now, Is.EqualTo(TimeSpan.FromMilliseconds(pause)));
    }

    [Test]
    public void Connect_timeout_of_zero_sets_no_deadline()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1) with { ConnectTimeout = TimeSpan.Zero });

        Assert.That(scene.Accept().Step.Deadline, Is.EqualTo(Instant.Never));
    }

    [Test]
    public void Last_failure_names_the_reason_when_the_attempts_are_used_up([Values] bool timesOut)
    {
        var scene = new SetupScene(SetupScene.PoolOf(5));
        SetupAttempt attempt = scene.Accept();
        attempt.Fail(ConnectFailure.Refused);
        attempt.Fail(timesOut ? ConnectFailure.Refused : ConnectFailure.TimedOut);
        if (timesOut)
        {
            attempt.MissDeadline();
        }
        else
        {
            attempt.Fail(ConnectFailure.Refused);
        }

        scene.AssertRefused(attempt, timesOut ? CloseReason.ConnectTimeout : CloseReason.ConnectFailed);
        Assert.That((attempt.Record.Attempts, scene.ConnectAttempts, scene.ConnectFailures), Is.EqualTo((3, 3L, 3L)));
    }

    [Test]
    public void Each_failure_is_counted_with_its_reason()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));
        SetupAttempt attempt = scene.Accept();
        attempt.MissDeadline();
        attempt.MissDeadline();
        attempt.Fail(ConnectFailure.Refused);
        attempt.MissDeadline();
        attempt.Fail(ConnectFailure.TimedOut);

        ReasonCounters failures = scene.Backend(0).ConnectFailures;
        Assert.That((failures[CloseReason.ConnectTimeout], failures[CloseReason.ConnectFailed]), Is.EqualTo((2L, 1L)));
        scene.AssertRefused(attempt, CloseReason.ConnectTimeout);
    }

    [Test]
    public void Without_a_living_backend_the_client_is_refused()
    {
        var scene = new SetupScene(SetupScene.PoolOf(2));
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down, [1] = HealthState.Down });

        scene.AssertRefused(scene.Accept(), CloseReason.NoBackend);
    }

    [Test]
    public void Backends_that_die_during_a_pause_leave_nobody_to_ask()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));
        SetupAttempt attempt = scene.Accept();
        attempt.Fail(ConnectFailure.Refused);
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down });
        attempt.MissDeadline();

        scene.AssertRefused(attempt, CloseReason.NoBackend);
    }

    [Test]
    public void Shortage_of_our_own_refuses_at_once_and_blames_nobody()
    {
        var scene = new SetupScene(SetupScene.PoolOf(3));
        SetupAttempt attempt = scene.Accept();

        attempt.Fail(ConnectFailure.LocalShortage);

        scene.AssertRefused(attempt, CloseReason.Limit);
        Assert.That((scene.ConnectAttempts, scene.ConnectFailures), Is.EqualTo((0L, 0L)));
        Assert.That(attempt.Record.Limit, Is.EqualTo(LimitKind.Host));
    }

    [Test]
    public void Who_finds_every_backend_full_is_refused_for_their_limit()
    {
        PoolSettings pool = SetupScene.PoolOf(2);
        var scene = new SetupScene(pool with { Backends = [.. pool.Backends.Select(b => b with { MaxConnections = 1 })] });
        scene.Accept();
        scene.Accept();
        SetupAttempt third = scene.Accept();

        scene.AssertRefused(third, CloseReason.Limit);
        Assert.That(third.Record.Limit, Is.EqualTo(LimitKind.Backends));
    }

    [Test]
    public void Connect_that_is_abandoned_was_an_attempt_and_a_pause_was_none([Values] bool connecting)
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));
        SetupAttempt attempt = scene.Accept();
        attempt.Fail(ConnectFailure.Refused);
        if (connecting)
        {
            attempt.MissDeadline();
        }

        attempt.Abandon(CloseReason.ClientReset);

        scene.AssertRefused(attempt, CloseReason.ClientReset);
        Assert.That((attempt.Record.Attempts, scene.ConnectAttempts, scene.ConnectFailures), Is.EqualTo(connecting ? (2, 2L, 1L) : (1, 1L, 1L)));
    }

    [Test]
    public void Large_dead_pool_is_not_walked_to_its_end()
    {
        var scene = new SetupScene(SetupScene.PoolOf(200) with { ConnectAttempts = 100 });
        SetupAttempt attempt = scene.Accept();
        int asked = 0;
        while (attempt.Action == SetupAction.Connect)
        {
            asked++;
            attempt.Fail(ConnectFailure.Refused);
        }

        Assert.That((asked, attempt.Action), Is.EqualTo((32, SetupAction.Wait)));
    }

    [Test]
    public void Setting_up_allocates_nothing()
    {
        var scene = new SetupScene(SetupScene.PoolOf(3, "10.0.0.1", "10.0.0.2"));
        var tuple = new FourTuple(SetupScene.At("198.51.100.1:4000"), SetupScene.At("127.0.0.1:80"));
        Instant now = scene.Now;
        Run(scene, tuple, now);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            // Another time each, because what the kernel has refused is not asked for again at once.
            Run(scene, tuple, now + TimeSpan.FromSeconds(i + 1));
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void A_shortage_of_descriptors_frees_no_port()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));
        SetupAttempt first = scene.Accept();
        scene.Accept().Fail(ConnectFailure.NoFreePort);
        Assert.That(scene.Ports.IsRefused(scene.Now), Is.True);

        first.Fail(ConnectFailure.LocalShortage);

        Assert.That((scene.Ports.IsRefused(scene.Now), scene.Ports.Held), Is.EqualTo((true, 0)), "the kernel would search all ports again in vain");
    }

    [TestCase(ConnectFailure.NoSuchFamily, 0)]
    [TestCase(ConnectFailure.NotPermitted, 1)]
    public void What_this_host_does_not_let_us_do_sends_the_client_on_and_is_not_tried_again(ConnectFailure failure, int attempts)
    {
        var scene = new SetupScene(SetupScene.PoolOf(2));
        SetupAttempt attempt = scene.Accept();
        int home = attempt.Backend;

        attempt.Fail(failure);
        Assert.That((attempt.Action, attempt.Backend, attempt.Record.Attempts), Is.EqualTo((SetupAction.Connect, 1 - home, attempts)));
        attempt.Fail(failure);

        scene.AssertRefused(attempt, CloseReason.ConnectFailed);
        Assert.That((scene.ConnectFailures, scene.Backend(home).Connects.FailedInARow, scene.Ports.Held), Is.EqualTo((2L * attempts, 0, 0)));
    }

    private static void Run(SetupScene scene, in FourTuple tuple, Instant now)
    {
        ConnectionSetup setup = default;
        ConnectionRecord record = default;
        setup.Accepted(ref record, scene.Snapshot, scene.Snapshot.Listeners[0], tuple, now);
        setup.ConnectFailed(ref record, ConnectFailure.NoFreePort, now);
        setup.ConnectFailed(ref record, ConnectFailure.Refused, now);
        setup.DeadlinePassed(ref record, scene.Snapshot, isLate: false, now);
        setup.Connected(ref record, tuple.Destination, now);
        record.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, now);
    }

    [Test]
    public void A_pool_counts_what_is_connecting_and_no_way_out_leaves_a_count_behind()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1) with { ConnectAttempts = 1 });
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 4).Select(_ => scene.Accept())];
        Assert.That((scene.Pool.State.Load, scene.Pool.State.Active, scene.Backend(0).Load), Is.EqualTo((4, 0, 4)));

        attempts[0].Connected();
        Assert.That((scene.Pool.State.Load, scene.Pool.State.Active), Is.EqualTo((4, 1)));
        attempts[1].Fail(ConnectFailure.Refused);
        attempts[2].Abandon(CloseReason.ClientReset);
        attempts[3].MissDeadline();
        Assert.That((scene.Pool.State.Load, scene.Pool.State.Active), Is.EqualTo((1, 1)));

        ConnectionRecord moved = attempts[0].Record;
        moved.Leave(scene.Snapshot.State);
        Assert.That(scene.Pool.State.Load, Is.Zero);
        moved.Join(scene.Snapshot.State);
        Assert.That((scene.Pool.State.Load, scene.Backend(0).Load), Is.EqualTo((1, 1)));
        moved.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, scene.Now);
        Assert.That((scene.Pool.State.Load, scene.Backend(0).Load), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Bounded_load_holds_in_a_burst_while_nobody_is_connected_yet()
    {
        var scene = new SetupScene(SetupScene.PoolOf(4) with { HashKey = TupleFields.SourceIp, BoundedLoad = 1.25 });
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 200).Select(_ => scene.Accept())];

        int[] loads = [.. Enumerable.Range(0, 4).Select(i => scene.Backend(i).Load)];
        Assert.That(loads.Sum(), Is.EqualTo(attempts.Length));
        Assert.That(loads.Max(), Is.EqualTo(63), "1.25 times a quarter of 200, rounded up");
    }
}
