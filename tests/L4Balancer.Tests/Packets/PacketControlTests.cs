using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Packets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Packets;

/// <summary>When tables are published anew: after every change, several at once, and within 50 ms.</summary>
internal sealed class PacketControlTests
{
    private static readonly TimeSpan Most = TimeSpan.FromMilliseconds(50);

    private FakeTimeProvider _clock = null!;
    private RecordingPlane _kernel = null!;
    private PacketForwarding _forwarding = null!;
    private PacketControl _control = null!;
    private RoutingSnapshot _snapshot = null!;

    [SetUp]
    public void Start()
    {
        _clock = new FakeTimeProvider();
        _kernel = new RecordingPlane();
        _forwarding = new PacketForwarding(_kernel.Start, static () => null, false, _clock, NullLogger.Instance);
        _control = new PacketControl(_forwarding, () => _control.Publish(), _clock, NullLogger.Instance);
        _snapshot = PacketPool.Snapshot(PacketPool.Config(8));
        _forwarding.Start(_snapshot);
        _control.Commit(null, _snapshot);
        _clock.Advance(Most);
        _kernel.Calls.Clear();
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _control.DisposeAsync();
        _forwarding.Dispose();
    }

    [Test]
    public void Backend_that_goes_down_is_out_of_the_table_within_50_ms()
    {
        Turn(3, HealthState.Down);
        _clock.Advance(Most);

        Assert.That(_kernel.Calls, Is.EqualTo(["publish"]));
        Assert.That(Available(), Is.EqualTo([0, 1, 2, 4, 5, 6, 7]));
    }

    [Test]
    public void Many_changes_at_once_are_one_table()
    {
        for (int i = 0; i < 7; i++)
        {
            Turn(i, HealthState.Down);
        }

        _clock.Advance(Most);
        Assert.That((_kernel.Calls.Count, Available().Single()), Is.EqualTo((1, 7)));
    }

    [Test]
    public void Changes_that_never_end_do_not_delay_the_first()
    {
        for (int i = 0; i < 10; i++)
        {
            Turn(1, i % 2 == 0 ? HealthState.Down : HealthState.Up);
            _clock.Advance(Most / 10);
        }

        Assert.That(_kernel.Calls, Is.Not.Empty);
    }

    [Test]
    public void Without_a_change_nothing_is_published()
    {
        Turn(1, HealthState.Up);
        _control.Sync();
        _clock.Advance(TimeSpan.FromMinutes(1));

        // The first report says what was known.
        Assert.That(_kernel.Calls, Has.Count.LessThanOrEqualTo(1));
        _kernel.Calls.Clear();
        _control.Sync();
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That(_kernel.Calls, Is.Empty);
    }

    [Test]
    public void Drain_and_slow_start_are_published()
    {
        _snapshot.Pools[0].SetMode(2, BackendMode.Draining);
        _snapshot.Pools[0].SetRamp(5, 0.25);
        _control.Sync();
        _clock.Advance(Most);

        Assert.That(Available(), Does.Not.Contain(2));
        Assert.That(_kernel.Choices["wss"].Table.Ramps[5], Is.EqualTo(ulong.MaxValue / 4).Within(1UL << 12));
        Assert.That(_kernel.Choices["wss"].Targets, Has.Length.EqualTo(8), "the drained one keeps its flows");
    }

    [Test]
    public void What_the_kernel_refuses_is_tried_again_until_it_holds()
    {
        _kernel.Fault = "no memory";
        Turn(3, HealthState.Down);
        _clock.Advance(Most);
        _clock.Advance(TimeSpan.FromSeconds(1));
        _kernel.Fault = null;
        _clock.Advance(TimeSpan.FromSeconds(1));
        _clock.Advance(TimeSpan.FromSeconds(5));

        Assert.That(_kernel.Calls, Is.EqualTo(["publish"]));
    }

    [Test]
    public async Task First_packet_listener_of_a_refused_reload_is_taken_away_again()
    {
        var kernel = new RecordingPlane();
        using var forwarding = new PacketForwarding(kernel.Start, static () => null, false, _clock, NullLogger.Instance);
        await using var control = new PacketControl(forwarding, static () => { }, _clock, NullLogger.Instance);
        RoutingSnapshot before = PacketPool.Snapshot(PacketPool.Config(8, mode: ListenerMode.Relay));
        forwarding.Start(before);
        control.Commit(null, before);
        control.Configure(_snapshot);
        control.Configure(before);

        Assert.That(kernel.Calls, Is.EqualTo(["start", "stop"]));
    }

    private int[] Available() => [.. _kernel.Choices["wss"].Table.Available.Select(a => (int)a.Member).Order()];

    private void Turn(int backend, HealthState health)
    {
        _snapshot.Pools[0].SetHealth(new Dictionary<int, HealthState> { [backend] = health });
        _control.Sync();
    }
}
