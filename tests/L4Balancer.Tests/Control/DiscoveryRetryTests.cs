using L4Balancer.Control;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>What is believed of a source and could not be put in force.</summary>
[CancelAfter(60_000)]
internal sealed class DiscoveryRetryTests
{
    private const string Text = """
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
          [pools.health]
          type = "none"
          [pools.discovery]
          file = "/nonexistent"
        """;

    [Test]
    public async Task It_is_tried_again_without_another_change(CancellationToken cancel)
    {
        var clock = new TestClock();
        BalancerConfig config = ConfigReader.Read(System.Text.Encoding.UTF8.GetBytes(Text)).Config!;
        BalancerControl? control = null;
        await using var discovery = new DiscoveryService((_, _) => new OneSet(), () => control?.DiscoveryChanged(), clock, NullLogger.Instance);
        await discovery.StartAsync(config);
        var names = new BackendNames(
            new NameResolver(static _ => new LookUp([], "no such name"), TimeProvider.System, static () => { }), TimeProvider.System,
            NullLogger<BackendNames>.Instance);
        int published = 0;
        var engine = new StillEngine
        {
            OnPublish = _ => Interlocked.Increment(ref published) == 1 ? [new ListenFailure("wss", default, "in use")] : [],
        };
        var desired = new DesiredState(config, 1000);
        control = new BalancerControl(
            new ActiveConfig(desired, RoutingSnapshot.Build(desired)), engine, names, discovery, 10_000, null, clock, NullLoggerFactory.Instance);
        await using (control)
        {
            control.Start();
            control.DiscoveryChanged();
            await UntilAsync(() => Volatile.Read(ref published) == 1, clock, Settling.Quiet, cancel);
            Assert.That(control.Snapshot.Pools[0].Backends, Is.Empty);
            await UntilAsync(() => control.Snapshot.Pools[0].Backends.Length == 1, clock, DiscoveryControl.Retry, cancel);
        }
    }

    // The control loop sets its timers on a thread of its own.
    private static async Task UntilAsync(Func<bool> holds, TestClock clock, TimeSpan step, CancellationToken cancel)
    {
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!holds())
        {
            clock.Advance(step);
            await looks.WaitForNextTickAsync(cancel);
        }
    }

    private sealed class OneSet : IBackendSource
    {
        public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
        {
            report(new SourceReading.Complete([new DiscoveredBackend(new Endpoint(HostAddress.FromV4(0x0A00_0001), 80))], ""));
            await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
