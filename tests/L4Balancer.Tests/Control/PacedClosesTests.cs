using L4Balancer.Admin;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>Which connections are closed when a backend goes down, and which never are.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class PacedClosesTests : IAsyncDisposable
{
    private readonly StillEngine _engine = new();
    private readonly PacedCloses _closes;
    private RoutingSnapshot _snapshot = Build(OnBackendDown.Close, null);

    public PacedClosesTests()
    {
        _closes = new PacedCloses(_engine, _snapshot, TimeProvider.System, NullLogger.Instance);
        foreach (Backend backend in Pool.Backends)
        {
            Enumerable.Range(0, 100).ToList().ForEach(_ => backend.State.CountEstablished());
        }
    }

    private Pool Pool => _snapshot.Pools[0];

    [TearDown]
    public ValueTask DisposeAsync() => _closes.DisposeAsync();

    [TestCase(HealthState.Degraded, ExpectedResult = null)]
    [TestCase(HealthState.Down, ExpectedResult = CloseReason.BackendDown)]
    public CloseReason? Down_is_struck_degraded_never(HealthState health)
    {
        Turn(health);
        return _closes.Of(Pool.Backends[0].State)?.Reason;
    }

    [TestCase(HealthState.Up)]
    [TestCase(HealthState.Degraded)]
    public void It_ends_when_the_backend_is_not_down_any_more(HealthState health)
    {
        Turn(HealthState.Down);
        Turn(health);
        Assert.That(_closes.Of(Pool.Backends[0].State), Is.Null);

        Turn(HealthState.Down);
        Assert.That(_closes.Of(Pool.Backends[0].State), Is.Not.Null, "and begins again");
    }

    [Test]
    public void A_trial_is_no_end_of_it()
    {
        Turn(HealthState.Down);
        Turn(HealthState.HalfOpen);

        Assert.That(_closes.Of(Pool.Backends[0].State), Is.Not.Null);
    }

    [Test]
    public void Panic_does_not_hold_it_back()
    {
        _snapshot = Build(OnBackendDown.Close, _snapshot, panic: 1);
        Turn(HealthState.Down);

        Assert.That(Pool.HasAvailable, Is.True);
        Assert.That(_closes.Of(Pool.Backends[0].State)?.Reason, Is.EqualTo(CloseReason.BackendDown));
    }

    [TestCase(HealthState.Down, ExpectedResult = CloseReason.BackendDown)]
    [TestCase(HealthState.Degraded, ExpectedResult = null)]
    [TestCase(HealthState.Up, ExpectedResult = null)]
    public CloseReason? Switched_to_close_by_a_reload_it_strikes_who_is_down_already(HealthState health)
    {
        _snapshot = Build(OnBackendDown.Keep, _snapshot);
        Turn(health);
        Assert.That(_closes.Of(Pool.Backends[0].State), Is.Null);

        Reload(OnBackendDown.Close);
        return _closes.Of(Pool.Backends[0].State)?.Reason;
    }

    [Test]
    public void Switched_to_keep_by_a_reload_it_ends()
    {
        Turn(HealthState.Down);
        Reload(OnBackendDown.Keep);

        Assert.That(_closes.Of(Pool.Backends[0].State), Is.Null);
    }

    [Test]
    public async Task A_reload_that_says_the_same_strikes_nobody_anew()
    {
        Turn(HealthState.Down);
        await _engine.EndAsync(() => _closes.Of(Pool.Backends[0].State) is null);
        Reload(OnBackendDown.Close);

        Assert.That(_closes.Of(Pool.Backends[0].State), Is.Null, "in a panic it has taken new ones meanwhile");
    }

    [Test]
    public void A_backend_that_leaves_the_file_and_comes_back_is_not_struck_for_what_it_was()
    {
        BackendState state = Pool.Backends[0].State;
        Turn(HealthState.Down);
        Sync(Build(OnBackendDown.Close, _snapshot, only: "ws2"));
        Assert.That(_closes.Of(state), Is.Null);

        Sync(Build(OnBackendDown.Close, _snapshot));
        Assert.That((Pool.Backends[0].State, _closes.Of(state)), Is.EqualTo((state, (Shedding?)null)));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_drain_goes_on_for_as_long_as_its_backend_is_draining(bool stays)
    {
        Pool.SetMode(0, BackendMode.Draining);
        _closes.ModeSet(Pool, Pool.Backends[0], CloseRate.AtRate(1));
        BackendOverrides none = BackendOverrides.None;
        BackendOverrides draining = none.With("chat", "ws1", none["chat", "ws1"] with { Mode = BackendMode.Draining });
        Sync(Build(OnBackendDown.Close, _snapshot, overrides: stays ? draining : none));

        Assert.That(_closes.Of(Pool.Backends[0].State) is not null, Is.EqualTo(stays));
    }

    [Test]
    public void A_drain_goes_on_when_its_backend_leaves_the_file_and_ends_when_it_returns()
    {
        BackendState state = Pool.Backends[0].State;
        Pool.SetMode(0, BackendMode.Draining);
        _closes.ModeSet(Pool, Pool.Backends[0], CloseRate.AtRate(1));
        Shedding drain = _closes.Of(state)!;
        Sync(Build(OnBackendDown.Close, _snapshot, only: "ws2"));
        Assert.That(_closes.Of(state), Is.SameAs(drain));

        Sync(Build(OnBackendDown.Close, _snapshot, only: "none"));
        Assert.That(_closes.Of(state), Is.SameAs(drain), "nor does it matter what else the file has");

        Sync(Build(OnBackendDown.Close, _snapshot));
        Assert.That((Pool.Backends[0].State, _closes.Of(state)), Is.EqualTo((state, (Shedding?)null)), "it is ready again");
    }

    [TestCase(OnBackendRemoved.Keep, ExpectedResult = null)]
    [TestCase(OnBackendRemoved.Close, ExpectedResult = CloseReason.BackendRemoved)]
    public CloseReason? A_backend_that_leaves_the_file_is_closed_if_its_pool_says_so(OnBackendRemoved policy)
    {
        BackendState state = Pool.Backends[0].State;
        Sync(Build(OnBackendDown.Keep, _snapshot, only: "ws2", onBackendRemoved: policy));
        return _closes.Of(state)?.Reason;
    }

    [Test]
    public void A_close_of_a_removed_backend_follows_the_pool_and_ends_when_the_backend_returns()
    {
        BackendState state = Pool.Backends[0].State;
        Sync(Build(OnBackendDown.Keep, _snapshot, only: "ws2"));
        Assert.That(_closes.Of(state), Is.Null);
        Sync(Build(OnBackendDown.Keep, _snapshot, only: "ws2", onBackendRemoved: OnBackendRemoved.Close));
        Assert.That(_closes.Of(state)?.Reason, Is.EqualTo(CloseReason.BackendRemoved), "it has left before");
        Sync(Build(OnBackendDown.Keep, _snapshot, only: "ws2"));
        Assert.That(_closes.Of(state), Is.Null);

        Sync(Build(OnBackendDown.Keep, _snapshot, only: "ws2", onBackendRemoved: OnBackendRemoved.Close));
        Sync(Build(OnBackendDown.Keep, _snapshot, onBackendRemoved: OnBackendRemoved.Close));
        Assert.That(_closes.Of(state), Is.Null);
    }

    [Test]
    public void A_pool_that_leaves_as_a_whole_takes_what_it_said_with_it()
    {
        BackendState[] states = [.. Pool.Backends.Select(b => b.State)];
        Sync(Build(OnBackendDown.Keep, _snapshot, onBackendRemoved: OnBackendRemoved.Close));
        Sync(RoutingSnapshot.Build(new(new BalancerConfig(), 1000), _snapshot));

        Assert.That(states.Select(s => _closes.Of(s)?.Reason), Is.All.EqualTo(CloseReason.BackendRemoved));
    }

    [Test]
    public void Of_a_removed_backend_a_drain_begins_and_ends_as_the_operator_says()
    {
        BackendState state = Pool.Backends[0].State;
        Sync(Build(OnBackendDown.Keep, _snapshot, only: "ws2"));
        _closes.DrainRemoved([state], CloseRate.AtRate(1), new RateLimiter());
        Assert.That(_closes.Of(state)?.Reason, Is.EqualTo(CloseReason.Drain));

        _closes.DrainRemoved([state], null, new RateLimiter());
        Assert.That(_closes.Of(state), Is.Null);
    }

    [TestCase("ws2", ExpectedResult = null)]
    [TestCase("", ExpectedResult = CloseReason.Rebalance)]
    public CloseReason? A_rebalance_ends_when_a_backend_leaves_the_file(string only)
    {
        BackendState full = Pool.Backends[1].State;
        Enumerable.Range(0, 100).ToList().ForEach(_ => full.CountEstablished());
        _closes.Rebalance(Pool, tolerance: 0, perSecond: 1);
        Sync(Build(OnBackendDown.Close, _snapshot, only: only));

        return _closes.Of(full)?.Reason;
    }

    [Test]
    public void Whoever_is_set_ready_and_is_down_is_struck_whoever_is_drained_goes_as_drained()
    {
        Turn(HealthState.Down);
        _closes.ModeSet(Pool, Pool.Backends[0], CloseRate.AtRate(1));
        Assert.That(_closes.Of(Pool.Backends[0].State)?.Reason, Is.EqualTo(CloseReason.Drain));

        _closes.ModeSet(Pool, Pool.Backends[0], null);
        Assert.That(_closes.Of(Pool.Backends[0].State)?.Reason, Is.EqualTo(CloseReason.BackendDown));
    }

    [TestCase(HealthState.Degraded, ExpectedResult = true)]
    [TestCase(HealthState.Down, ExpectedResult = true)]
    [TestCase(HealthState.Up, ExpectedResult = false)]
    public bool A_rebalance_ends_when_a_backend_is_not_up_any_more(HealthState health)
    {
        Enumerable.Range(0, 100).ToList().ForEach(_ => Pool.Backends[1].State.CountEstablished());
        _closes.Rebalance(Pool, tolerance: 0, perSecond: 1);
        Assert.That(_closes.Of(Pool.Backends[1].State)?.Reason, Is.EqualTo(CloseReason.Rebalance));

        Turn(health);
        return _closes.Of(Pool.Backends[1].State) is null;
    }

    [Test]
    public async Task What_is_being_closed_is_closed_on_by_another_process()
    {
        _closes.ModeSet(Pool, Pool.Backends[0], CloseRate.Within(TimeSpan.FromMinutes(10)));
        Enumerable.Range(0, 200).ToList().ForEach(_ => Pool.Backends[1].State.CountEstablished());
        _closes.Rebalance(Pool, tolerance: 0.1, perSecond: 7);
        ConnectionFilter filter = new(("chat", "ws2"), null, null);
        _closes.CloseMatching(filter.ForClosing(), new Dictionary<PoolState, int> { [Pool.State] = 1 }, perSecond: null);
        IReadOnlyList<CarriedShed> carried = CarriedShed.Read(CarriedShed.ToBytes(_closes.Carried()), out int left);
        Assert.That((carried.Count, left), Is.EqualTo((3, 0)));

        RoutingSnapshot ready = Build(OnBackendDown.Close, null);
        Enumerable.Range(0, 200).ToList().ForEach(_ => ready.Pools[0].Backends[1].State.CountEstablished());
        await using var closes = new PacedCloses(new StillEngine(), ready, TimeProvider.System, NullLogger.Instance);
        Assert.That(closes.Continue(carried, ConnectionFilter.Again), Is.EqualTo(2), "of a backend that is ready no connection is drained");
        CarriedShed[] again = [.. closes.Carried()];
        Assert.That(
            again.Single(s => s.Kind == ShedKind.Rebalance) with { Filter = [] }, Is.EqualTo(carried.Single(s => s.Kind == ShedKind.Rebalance) with { Filter = [] }));
        Assert.That(again.Single(s => s.Kind == ShedKind.Filter).Filter, Is.EqualTo(new[] { ("backend", "chat/ws2") }));

        RoutingSnapshot draining = Build(OnBackendDown.Close, null);
        draining.Pools[0].SetMode(0, BackendMode.Draining);
        await using var drains = new PacedCloses(new StillEngine(), draining, TimeProvider.System, NullLogger.Instance);
        Assert.That(drains.Continue(carried.Where(s => s.Kind == ShedKind.Backend), ConnectionFilter.Again), Is.EqualTo(1));
        Assert.That(drains.Of(draining.Pools[0].Backends[0].State)?.Reason, Is.EqualTo(CloseReason.Drain));
        CarriedShed drain = drains.Carried().Single();
        Assert.That((drain.Reason, drain.PerSecond), Is.EqualTo((CloseReason.Drain, (int?)null)));
        Assert.That(drain.Within, Is.GreaterThan(TimeSpan.FromMinutes(5)).And.LessThanOrEqualTo(TimeSpan.FromMinutes(10)), "what was left of it");
    }

    [Test]
    public async Task What_has_no_cause_in_the_other_process_is_not_closed_there()
    {
        Pool.SetMode(0, BackendMode.Draining);
        _closes.ModeSet(Pool, Pool.Backends[0], CloseRate.AtRate(1));
        RoutingSnapshot next = Build(OnBackendDown.Close, null);
        await using var closes = new PacedCloses(new StillEngine(), next, TimeProvider.System, NullLogger.Instance);

        Assert.That(closes.Continue(_closes.Carried(), ConnectionFilter.Again), Is.Zero, "it is ready there");
        Assert.That(closes.Continue([new CarriedShed(ShedKind.Filter) { Filter = [("planet", "mars")] }], ConnectionFilter.Again), Is.Zero);
    }

    private void Turn(HealthState health)
    {
        Pool.SetHealth(new Dictionary<int, HealthState> { [0] = health });
        _closes.HealthChanged(Pool, Pool.Backends[0]);
    }

    private void Reload(OnBackendDown onBackendDown)
    {
        HealthState health = Pool.HealthOf(0);
        RoutingSnapshot next = Build(onBackendDown, _snapshot);
        next.Pools[0].SetHealth(new Dictionary<int, HealthState> { [0] = health });
        Sync(next);
    }

    private void Sync(RoutingSnapshot next)
    {
        RoutingSnapshot before = _snapshot;
        _snapshot = next;
        _closes.Commit(before, next);
    }

    private static RoutingSnapshot Build(
        OnBackendDown onBackendDown, RoutingSnapshot? previous, double panic = 0, string only = "",
        BackendOverrides? overrides = null, OnBackendRemoved onBackendRemoved = OnBackendRemoved.Keep) => RoutingSnapshot.Build(
        new(
            new BalancerConfig
            {
                Pools =
                [
                    new PoolSettings
                    {
                        Name = "chat",
                        OnBackendDown = onBackendDown,
                        OnBackendRemoved = onBackendRemoved,
                        PanicThreshold = panic,
                        Backends =
                        [
                            .. Enumerable.Range(1, 2).Select(i => new BackendSettings
                            {
                                Name = $"ws{i}",
                                Address = $"10.0.0.{i}:80",
                                Endpoint = new Endpoint(HostAddress.FromV4(0x0A00_0000u + (uint)i), 80),
                            }).Where(b => only.Length == 0 || b.Name == only),
                        ],
                    },
                ],
            },
            1000)
        { Overrides = overrides ?? BackendOverrides.None },
        previous);
}
