using System.Collections.Immutable;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>The one writer over an engine that does nothing.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[CancelAfter(60_000)]
[Category(DaemonProcess.Category)]
internal sealed class BalancerControlTests : IAsyncDisposable
{
    private readonly StillEngine _engine = new();
    private readonly TestClock _clock = new();
    private readonly string _file = DaemonProcess.ConfigFileWith(Text(weight: 100));
    private readonly RoutingSnapshot _first;
    private readonly Lazy<BalancerControl> _control;
    private Action _beforeStart = static () => { };

    public BalancerControlTests()
    {
        var desired = new DesiredState(Read(_file), 1000);
        _first = RoutingSnapshot.Build(desired);
        _control = new Lazy<BalancerControl>(() =>
        {
            var control = new BalancerControl(
                new ActiveConfig(desired, _first), _engine, Names(), Undiscovered.With(_clock), 10_000, _file, _clock, NullLoggerFactory.Instance);
            _beforeStart();
            control.Start();
            return control;
        });
    }

    private BalancerControl Control => _control.Value;

    private BackendState State => _first.Pools[0].Backends[0].State;

    [TearDown]
    public async ValueTask DisposeAsync()
    {
        await Control.DisposeAsync();
        File.Delete(_file);
    }

    [Test]
    public async Task Connects_that_failed_while_the_control_was_made_take_their_backend_down()
    {
        OnceHealthIsKnown(() => Fail(times: 3));
        await AllIsTakenAsync();

        Assert.That(_first.Pools[0].HealthOf(0), Is.EqualTo(HealthState.Down));
    }

    [Test]
    public async Task What_worked_again_while_the_control_was_made_can_fall_later()
    {
        OnceHealthIsKnown(() =>
        {
            Fail(times: 3);
            State.Connects.CountSucceeded(trial: 0);
        });
        await AllIsTakenAsync();
        Assert.That(_first.Pools[0].HealthOf(0), Is.EqualTo(HealthState.Up));

        Assert.That(Fail(times: 3), Is.EqualTo(PassiveHealthEvent.Failing));
    }

    [Test]
    public async Task Only_who_was_not_ready_gets_a_growing_share()
    {
        await Control.SetModeAsync("chat", "ws1", BackendMode.Ready, "test");
        Assert.That(ShareOfFirst(), Is.GreaterThan(0.3), "it was ready before");

        await Control.SetModeAsync("chat", "ws1", BackendMode.Draining, "test");
        await Control.SetModeAsync("chat", "ws1", BackendMode.Ready, "test");
        Assert.That(ShareOfFirst(), Is.LessThan(0.1));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Who_comes_back_has_all_of_its_share_at_no_moment(bool byOperator)
    {
        OnceHealthIsKnown(() => Fail(times: byOperator ? 0 : 3));
        await Control.SetModeAsync("chat", "ws1", byOperator ? BackendMode.Draining : BackendMode.Ready, "test");
        Assert.That(ShareOfFirst(), Is.Zero);

        // Whoever sets a share asks for the time first: what its backend has just then is what it had for that moment.
        double most = 0;
        _clock.Asked = () => most = Math.Max(most, ShareOfFirst());
        if (!byOperator)
        {
            _first.ConnectReports.Handler!(State, State.Connects.CountSucceeded(trial: 0));
        }

        await Control.SetModeAsync("chat", byOperator ? "ws1" : "none", BackendMode.Ready, "test");
        Assert.That(ShareOfFirst(), Is.GreaterThan(0).And.LessThan(0.1));
        Assert.That(most, Is.LessThan(0.1));
    }

    [Test]
    public async Task Who_comes_up_by_a_reload_is_published_with_the_share_of_who_comes_up()
    {
        OnceHealthIsKnown(() => Fail(times: 3));
        await AllIsTakenAsync();
        Assert.That(ShareOfFirst(), Is.Zero);
        double share = 1;
        _engine.OnPublish = s =>
        {
            share = ShareOfFirst(s);
            return [];
        };
        await File.WriteAllTextAsync(_file, Text(weight: 100).Replace("failures = 3", "failures = 0", StringComparison.Ordinal));
        await Control.ReloadAsync("test");

        Assert.That(share, Is.GreaterThan(0).And.LessThan(0.1));
    }

    [Test]
    public async Task A_weight_that_the_engine_does_not_take_is_not_set()
    {
        Assert.That(Control.Snapshot, Is.SameAs(_first));
        _engine.OnPublish = s => [new ListenFailure("wss", s.Listeners[0].Settings.Bind[0], "of the test")];
        Assert.That(
            async () => await Control.SetWeightAsync("chat", "ws1", 7, "test"), Throws.InvalidOperationException.With.Message.Contains("of the test"));
        _engine.OnPublish = static _ => [];
        await Control.SetWeightAsync("chat", "ws2", 8, "test");

        Assert.That(Control.Snapshot.Pools[0].Backends.Select(b => b.Weight), Is.EqualTo(new[] { 100, 8 }));
    }

    [Test]
    public async Task A_reload_that_breaks_off_is_a_failed_one_and_the_next_one_works()
    {
        int ended = 0;
        Control.Events.ReloadEnds += () => ended++;
        await File.WriteAllTextAsync(_file, Text(weight: 50));
        _engine.OnPublish = static _ => throw new InvalidOperationException("of the test");
        ReloadResult broken = await Control.ReloadAsync("test");
        Assert.That((broken.Outcome, broken.Generation), Is.EqualTo((ReloadOutcome.Failed, 1)));
        Assert.That(broken.Errors, Has.Exactly(1).Contains("of the test"));
        Assert.That((_first.State.Reloads.Failed, ended), Is.EqualTo((1, 1)));

        _engine.OnPublish = static _ => [];
        Assert.That((await Control.ReloadAsync("test")).Outcome, Is.EqualTo(ReloadOutcome.Applied));
    }

    [Test]
    public void Health_follows_a_snapshot_before_all_that_read_it_and_listeners_come_last()
    {
        Assert.That(Control.Participants.Select(p => p.GetType()), Is.EqualTo(new[]
        {
            typeof(HealthControl), typeof(SlowStarts), typeof(PacedCloses), typeof(NameControl), typeof(ListenControl), typeof(PacketControl),
            typeof(ControlEvents),
        }));
    }

    [Test]
    public async Task What_reads_along_and_breaks_off_fails_the_reload()
    {
        Control.ReadDependencies = static _ => throw new InvalidOperationException("of the test");
        ReloadResult broken = await Control.ReloadAsync("test");

        Assert.That((broken.Outcome, _first.State.Reloads.Failed), Is.EqualTo((ReloadOutcome.Failed, 1)));
        Assert.That(broken.Errors, Has.Exactly(1).Contains("of the test"));
    }

    [Test]
    public async Task Another_process_goes_on_with_what_this_one_knows()
    {
        OnceHealthIsKnown(() => Fail(times: 3));
        await AllIsTakenAsync();
        await Control.SetModeAsync("chat", "ws2", BackendMode.Draining, "test", CloseRate.AtRate(1));
        ControlKnowledge known = await Control.KnownAsync();
        Preparation before = Preparation.Read(known.Prepare(new Dictionary<string, ImmutableArray<DiscoveredBackend>>()).ToBytes(), out _)!;

        var desired = new DesiredState(Read(_file), 1000) { Overrides = before.OverridesFor(Read(_file)), Seed = before.Seed };
        RoutingSnapshot first = RoutingSnapshot.Build(desired);
        HealthBoard.Mark(first, before.Health);
        Assert.That((first.Pools[0].StatusOf(0), first.Pools[0].StatusOf(1)), Is.EqualTo((BackendStatus.Down, BackendStatus.Draining)));
        await using var next = new BalancerControl(
            new ActiveConfig(desired, first), _engine, Names(), Undiscovered.With(_clock), 10_000, _file, _clock, NullLoggerFactory.Instance, before);
        next.Start();
        await next.SetModeAsync("chat", "none", BackendMode.Ready, "test");
        Assert.That((next.Snapshot.Pools[0].StatusOf(0), next.Snapshot.Pools[0].StatusOf(1)), Is.EqualTo((BackendStatus.Down, BackendStatus.Draining)));
        Assert.That(first.Pools[0].Backends[0].State.Health.Transitions, Is.Zero);

        await Control.SetModeAsync("chat", "ws2", BackendMode.Ready, "test");
        await Control.SetWeightAsync("chat", "ws1", 7, "test");
        await next.CatchUpAsync((await Control.KnownAsync()).Prepare(new Dictionary<string, ImmutableArray<DiscoveredBackend>>()));
        Assert.That(next.Snapshot.Pools[0].StatusOf(1), Is.EqualTo(BackendStatus.Up), "an order that came after the preparation");
        Assert.That(next.Snapshot.Pools[0].Backends[0].Weight, Is.EqualTo(7));

        var survivors = new Survivors(1);
        byte[] image = new BalancerImage([]).Capture(Connections.Snapshot(pool: "gone"), default);
        Assert.That(new BalancerImage([]).TryAdd(image, next.Snapshot, survivors, default, out string fault), fault);
        CarriedRecord.Of(Connections.Established(Connections.Snapshot(pool: "gone")), default).Revive(next.Snapshot, survivors).Record.Join(next.Snapshot.State);
        Assert.That(await next.JoinAsync(survivors), Is.Empty);
        Assert.That(next.Snapshot.Removed.Backends.Select(b => (b.State.Pool, b.State.Active)), Is.EqualTo(new[] { ("gone", 1) }));
        Assert.That((await next.ReloadAsync("test")).Outcome, Is.EqualTo(ReloadOutcome.Applied).Or.EqualTo(ReloadOutcome.Unchanged));
        Assert.That(next.Snapshot.Removed.Backends.Select(b => b.State.Pool), Is.EqualTo(new[] { "gone" }));
    }

    // The health of the first snapshot is known by then, and nothing is reported yet.
    private void OnceHealthIsKnown(Action action) => _beforeStart = action;

    private PassiveHealthEvent Fail(int times)
    {
        var last = PassiveHealthEvent.None;
        for (int i = 0; i < times; i++)
        {
            last = State.Connects.CountFailed("refused", 3, trial: 0);
        }

        return last;
    }

    private double ShareOfFirst(RoutingSnapshot? snapshot = null)
    {
        Pool pool = (snapshot ?? Control.Snapshot).Pools[0];
        return Enumerable.Range(1, 1000).Count(p => pool.Pick(From((ushort)p), []) == 0) / 1000.0;
    }

    private static FourTuple From(ushort port) =>
        new(new Endpoint(HostAddress.FromV4(0xC633_6401), port), new Endpoint(HostAddress.FromV4(0x7F00_0001), 80));

    private async Task AllIsTakenAsync() => await Control.SetModeAsync("chat", "none", BackendMode.Ready, "test");

    private static BackendNames Names() => new(
        new NameResolver(static _ => new LookUp([], "no such name"), TimeProvider.System, static () => { }),
        TimeProvider.System,
        NullLogger<BackendNames>.Instance);

    private static BalancerConfig Read(string path) => L4Balancer.Configuration.ConfigFile.Load(path).Config!;

    private static string Text(int weight) => $"""
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        slow_start = "10s"
        passive.failures = 3
        health.type = "none"
        [[pools.backends]]
        name = "ws1"
        address = "127.0.0.1:1"
        weight = {weight}
        [[pools.backends]]
        name = "ws2"
        address = "127.0.0.1:2"
        """;
}
