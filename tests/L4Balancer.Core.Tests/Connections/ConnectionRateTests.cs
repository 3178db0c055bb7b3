using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Connections;

/// <summary><c>new_connection_rate</c>: who waits for his turn at a backend, how long, and what becomes of him.</summary>
internal sealed class ConnectionRateTests
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);

    [Test]
    public void A_burst_is_sent_on_one_after_the_other_in_its_order()
    {
        var scene = new SetupScene(Pool(1));
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 5).Select(i => scene.Accept((ushort)(40_000 + i)))];
        Instant start = scene.Now;

        Assert.That(attempts[0].Action, Is.EqualTo(SetupAction.Connect));
        Assert.That(attempts[1..].Select(a => a.Action), Is.All.EqualTo(SetupAction.Wait));
        Assert.That(attempts[1..].Select(a => a.Step.Deadline - start), Is.EqualTo(new[] { 1, 2, 3, 4 }.Select(i => i * Between)));
        Assert.That(scene.Backend(0).Load, Is.EqualTo(5), "who waits counts for least-connections and max_connections");

        attempts[1].MissDeadline();
        Assert.That((attempts[1].Action, attempts[1].Backend), Is.EqualTo((SetupAction.Connect, 0)));
        attempts[1].Connected();
        Assert.That(attempts[1].Record.QueueTime, Is.EqualTo(Between));
        Assert.That(scene.Backend(0).ConnectAttempts, Is.EqualTo(1), "waiting is no attempt");
    }

    [Test]
    public void No_time_that_nobody_used_is_saved_up()
    {
        var scene = new SetupScene(Pool(1));
        scene.Accept();
        scene.Pass(TimeSpan.FromHours(1));

        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect));
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Wait));
    }

    [Test]
    public void Turns_are_spaced_by_the_rate_and_at_most_the_slack_comes_at_once()
    {
        var state = new BackendState(new PoolState("p"), "b");
        var now = new Instant(TimeSpan.TicksPerDay);
        TimeSpan between = RateLimiter.Between(1000);
        Instant[] turns = [.. Enumerable.Range(0, 100).Select(_ => Reserve(state, now, between))];

        Assert.That(turns.Count(t => t == now), Is.EqualTo(10), "10 ms of 1,000 a second");
        Assert.That(turns[10..].Select((t, i) => t - now), Is.EqualTo(Enumerable.Range(1, 90).Select(i => i * between)));
    }

    [Test]
    public void Many_threads_get_as_many_turns_as_there_are()
    {
        var state = new BackendState(new PoolState("p"), "b");
        var now = new Instant(TimeSpan.TicksPerDay);
        long[] turns = [.. Enumerable.Range(0, 10_000).AsParallel().Select(_ => Reserve(state, now, Between).Ticks)];

        Assert.That(turns, Is.Unique);
        Assert.That(turns.Max() - now.Ticks, Is.EqualTo(9_999 * Between.Ticks));
    }

    [Test]
    public void A_backend_whose_queue_is_longer_than_the_connect_timeout_counts_as_full()
    {
        var scene = new SetupScene(Pool(2) with { ConnectTimeout = TimeSpan.FromSeconds(1), Balance = BalanceKind.RoundRobin });

        // One at once and ten in the queue, at both of them.
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 22).Select(i => scene.Accept((ushort)(40_000 + i)))];
        SetupAttempt last = scene.Accept();

        Assert.That(attempts.Select(a => a.Action), Is.All.AnyOf(SetupAction.Connect, SetupAction.Wait));
        Assert.That(attempts.Max(a => a.Step.Deadline - scene.Now), Is.LessThanOrEqualTo(TimeSpan.FromSeconds(1)));
        Assert.That((scene.Backend(0).Load, scene.Backend(1).Load), Is.EqualTo((11, 11)));
        Assert.That((last.Action, last.Step.Reason, last.Record.Limit), Is.EqualTo((SetupAction.Refuse, CloseReason.Limit, LimitKind.Queue)));
    }

    [Test]
    public void Who_finds_his_backend_full_goes_on_to_the_next()
    {
        var scene = new SetupScene(Pool(2) with { ConnectTimeout = TimeSpan.FromSeconds(1) });
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 12).Select(_ => scene.Accept())];

        Assert.That(attempts[..11].Select(a => a.Backend), Is.All.EqualTo(attempts[0].Backend), "one tuple, one home");
        Assert.That(attempts[11].Backend, Is.EqualTo(1 - attempts[0].Backend));
        Assert.That(attempts[11].Action, Is.EqualTo(SetupAction.Connect));
    }

    [Test]
    public void Without_a_connect_timeout_the_queue_is_three_seconds_long()
    {
        var scene = new SetupScene(Pool(1) with { ConnectTimeout = TimeSpan.Zero });
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 32).Select(_ => scene.Accept())];

        Assert.That(attempts.Count(a => a.Action == SetupAction.Wait), Is.EqualTo(30));
        Assert.That(attempts[31].Step.Reason, Is.EqualTo(CloseReason.Limit));
    }

    [Test]
    public void Whose_backend_goes_down_while_he_waits_is_sent_elsewhere()
    {
        var scene = new SetupScene(Pool(2));
        scene.Accept();
        SetupAttempt waiting = scene.Accept();
        int home = waiting.Backend;
        Assert.That(waiting.Action, Is.EqualTo(SetupAction.Wait));
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [home] = HealthState.Down });

        waiting.MissDeadline();

        Assert.That((waiting.Action, waiting.Backend), Is.EqualTo((SetupAction.Connect, 1 - home)));
        Assert.That((scene.Backend(home).Load, scene.Backend(1 - home).Load), Is.EqualTo((1, 1)));
    }

    [Test]
    public void Who_waits_for_a_backend_that_health_ignores_gets_there()
    {
        var scene = new SetupScene(Pool(1) with { PanicThreshold = 0.5 });
        scene.Accept();
        SetupAttempt waiting = scene.Accept();
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.HalfOpen });

        waiting.MissDeadline();

        Assert.That(waiting.Action, Is.EqualTo(SetupAction.Connect));
    }

    [Test]
    public void Nobody_takes_a_turn_at_a_backend_to_which_there_is_no_port()
    {
        var scene = new SetupScene(Pool(1));
        scene.Accept().Fail(ConnectFailure.NoFreePort);

        SetupAttempt next = scene.Accept();
        Assert.That(next.Step.Reason, Is.EqualTo(CloseReason.SourcePortsExhausted), "at once");
        scene.Pass(Between);
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect), "the turn is still there");
    }

    [Test]
    public void Who_is_sent_elsewhere_waits_no_longer_in_all_than_the_connect_timeout()
    {
        var scene = new SetupScene(Pool(2) with { ConnectTimeout = TimeSpan.FromSeconds(1) });
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 22).Select(_ => scene.Accept())];
        SetupAttempt lastAtHome = attempts[10];
        Assert.That(lastAtHome.Step.Deadline - scene.Now, Is.EqualTo(TimeSpan.FromSeconds(1)));
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [lastAtHome.Backend] = HealthState.Down });
        scene.Accept();

        lastAtHome.MissDeadline();

        Assert.That(lastAtHome.Action, Is.EqualTo(SetupAction.Refuse).Or.EqualTo(SetupAction.Connect));
        Assert.That(lastAtHome.Step.Reason, Is.EqualTo(CloseReason.Limit), "his second is over, and the queue there is a tenth long");
    }

    [Test]
    public void Who_leaves_while_he_waits_is_no_load_any_more()
    {
        var scene = new SetupScene(Pool(1));
        scene.Accept();
        SetupAttempt waiting = scene.Accept();

        waiting.Abandon(CloseReason.ClientReset);

        Assert.That((scene.Backend(0).Load, scene.Backend(0).ConnectAttempts, scene.Listener.Pending), Is.EqualTo((1, 0L, 1)));
        Assert.That(scene.Listener.Refused[CloseReason.ClientReset], Is.EqualTo(1));
    }

    [Test]
    public void A_second_attempt_waits_for_its_turn_too()
    {
        var scene = new SetupScene(Pool(1));
        SetupAttempt attempt = scene.Accept();
        attempt.Fail(ConnectFailure.Refused);
        Assert.That(attempt.Step.Deadline - scene.Now, Is.EqualTo(TimeSpan.FromSeconds(1)), "the pause");
        scene.Pass(TimeSpan.FromSeconds(0.95));
        scene.Accept();

        attempt.MissDeadline();
        Assert.That((attempt.Action, attempt.Step.Deadline - scene.Now), Is.EqualTo((SetupAction.Wait, TimeSpan.FromMilliseconds(50))));
        attempt.MissDeadline();
        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Connect));
    }

    private static Instant Reserve(BackendState state, Instant now, TimeSpan between) =>
        state.TryReserve(now, between, Instant.Never, out Instant turn) ? turn : throw new InvalidOperationException();

    private static PoolSettings Pool(int backends) => SetupScene.PoolOf(backends) with { NewConnectionRate = 10 };
}
