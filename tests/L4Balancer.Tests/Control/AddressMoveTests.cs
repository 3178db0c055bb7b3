using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>A backend without probes whose name has two addresses: clients find out which one works.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[CancelAfter(60_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class AddressMoveTests : IAsyncDisposable
{
    private readonly TestClock _clock = new();
    private readonly string _file = DaemonProcess.ConfigFileWith("""
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        passive = { failures = 3, retry = "10s" }
        health.type = "none"
        [[pools.backends]]
        name = "ws1"
        address = "ws1.test:80"
        """);

    private readonly BalancerControl _control;

    public AddressMoveTests()
    {
        BalancerConfig config = L4Balancer.Configuration.ConfigFile.Load(_file).Config!;
        LookUp both = new([HostAddress.FromV4(0x0A00_0001), HostAddress.FromV4(0x0A00_0002)], "");
        var names = new BackendNames(new NameResolver(_ => both, _clock, static () => { }), _clock, NullLogger<BackendNames>.Instance);
        names.PrepareAsync(config).GetAwaiter().GetResult();
        var desired = new DesiredState(config, 1000) { Names = names.After(Resolutions.None, config) };
        _control = new BalancerControl(
            new ActiveConfig(desired, RoutingSnapshot.Build(desired)), new StillEngine(), names, Undiscovered.With(_clock), 10_000, _file, _clock, NullLoggerFactory.Instance);
        _control.Start();
    }

    private Backend Backend => _control.Snapshot.Pools[0].Backends[0];

    private BackendState State => Backend.State;

    [TearDown]
    public async ValueTask DisposeAsync()
    {
        await _control.DisposeAsync();
        File.Delete(_file);
    }

    [Test]
    public async Task Where_connects_fail_the_next_address_is_used_and_the_backend_stays_up()
    {
        await FailAsync(times: 2);
        Assert.That(await SeenAsync(), Is.EqualTo(("10.0.0.1:80", HealthState.Up)));
        await FailAsync(times: 1);
        Assert.That(await SeenAsync(), Is.EqualTo(("10.0.0.2:80", HealthState.Up)));
        Assert.That((State.Connects.FailedInARow, State.Health.Transitions), Is.EqualTo((0, 0L)));
    }

    [Test]
    public async Task Where_all_addresses_fail_the_backend_is_down_and_each_trial_goes_to_the_next_one()
    {
        await FailAsync(times: 3);
        await FailAsync(times: 3);
        Assert.That(await SeenAsync(), Is.EqualTo(("10.0.0.1:80", HealthState.Down)));

        await TryAsync(succeeds: false);
        Assert.That(await SeenAsync(), Is.EqualTo(("10.0.0.2:80", HealthState.Down)));
        await TryAsync(succeeds: true);
        Assert.That(await SeenAsync(), Is.EqualTo(("10.0.0.2:80", HealthState.Up)));
    }

    [Test]
    public async Task An_address_that_has_worked_in_between_does_not_count_as_failed()
    {
        await FailAsync(times: 3);
        State.CountEstablished();
        State.CountClosed(CloseReason.ClientClosed);
        await FailAsync(times: 3);

        Assert.That(await SeenAsync(), Is.EqualTo(("10.0.0.1:80", HealthState.Up)));
    }

    private async Task TryAsync(bool succeeds)
    {
        _clock.Advance(TimeSpan.FromSeconds(11));
        await SeenAsync();
        int trial = State.Connects.TryTakeTrial();
        Assert.That(trial, Is.Not.Zero);
        Report(succeeds ? State.Connects.CountSucceeded(trial) : State.Connects.CountFailed("refused", 3, trial));
        await SeenAsync();
    }

    private async Task FailAsync(int times)
    {
        for (int i = 0; i < times; i++)
        {
            Report(State.Connects.CountFailed("refused", 3, trial: 0));
        }

        await SeenAsync();
    }

    private void Report(PassiveHealthEvent news)
    {
        if (news != PassiveHealthEvent.None)
        {
            _control.Snapshot.ConnectReports.Handler!(State, news);
        }
    }

    // What was reported before has been applied.
    private async Task<(string Address, HealthState State)> SeenAsync()
    {
        await _control.SetModeAsync("chat", "none", BackendMode.Ready, "test");
        return (Backend.Endpoint.ToString(), _control.Snapshot.Pools[0].HealthOf(0));
    }
}
