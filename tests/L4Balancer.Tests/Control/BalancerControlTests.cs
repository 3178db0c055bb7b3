using System.Collections.Concurrent;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>The one writer over an engine that does nothing.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[CancelAfter(60_000)]
internal sealed class BalancerControlTests : IAsyncDisposable
{
    private readonly StillEngine _engine = new();
    private readonly TimerClock _clock = new();
    private readonly string _file = DaemonProcess.ConfigFileWith(Text(weight: 100));
    private readonly RoutingSnapshot _first;
    private readonly Lazy<BalancerControl> _control;

    public BalancerControlTests()
    {
        BalancerConfig config = Read(_file);
        _first = RoutingSnapshot.Build(config, 1000);
        _control = new Lazy<BalancerControl>(() => new BalancerControl(
            config, _first, _engine, Names(), 10_000, _file, _clock, NullLoggerFactory.Instance));
    }

    private BalancerControl Control => _control.Value;

    private BackendCell Cell => _first.Pools[0].Backends[0].Cell;

    [TearDown]
    public async ValueTask DisposeAsync()
    {
        await Control.DisposeAsync();
        File.Delete(_file);
    }

    [Test]
    public async Task Connects_that_failed_before_there_was_a_control_take_their_backend_down()
    {
        Assert.That(Enumerable.Range(0, 3).Select(_ => Cell.Connects.CountFailed("refused", 3, 0)), Has.Some.EqualTo(ConnectNews.Failing));
        await AllIsTakenAsync();

        Assert.That(_first.Pools[0].HealthOf(0), Is.EqualTo(HealthState.Down));
    }

    [Test]
    public async Task What_worked_again_before_there_was_a_control_can_fall_later()
    {
        Array.ForEach([1, 2, 3], _ => Cell.Connects.CountFailed("refused", 3, 0));
        Cell.Connects.CountSucceeded(0);
        await AllIsTakenAsync();
        Assert.That(_first.Pools[0].HealthOf(0), Is.EqualTo(HealthState.Up));

        Assert.That(Enumerable.Range(0, 3).Select(_ => Cell.Connects.CountFailed("refused", 3, 0)), Has.Some.EqualTo(ConnectNews.Failing));
    }

    [Test]
    public async Task A_reload_that_breaks_off_is_a_failed_one_and_the_next_one_works()
    {
        int ended = 0;
        Control.ReloadEnds += () => ended++;
        await File.WriteAllTextAsync(_file, Text(weight: 50));
        _engine.OnPublish = static _ => throw new InvalidOperationException("of the test");
        ReloadResult broken = await Control.ReloadAsync("test");
        Assert.That((broken.Outcome, broken.Generation), Is.EqualTo((ReloadOutcome.Failed, 1)));
        Assert.That(broken.Errors, Has.Exactly(1).Contains("of the test"));
        Assert.That((_first.Cell.Reloads.Failed, ended), Is.EqualTo((1, 1)));

        _engine.OnPublish = static _ => [];
        Assert.That((await Control.ReloadAsync("test")).Outcome, Is.EqualTo(ReloadOutcome.Applied));
    }

    [Test]
    public async Task What_reads_along_and_breaks_off_fails_the_reload()
    {
        Control.ReadsToo = static _ => throw new InvalidOperationException("of the test");
        ReloadResult broken = await Control.ReloadAsync("test");

        Assert.That((broken.Outcome, _first.Cell.Reloads.Failed), Is.EqualTo((ReloadOutcome.Failed, 1)));
        Assert.That(broken.Errors, Has.Exactly(1).Contains("of the test"));
    }

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
