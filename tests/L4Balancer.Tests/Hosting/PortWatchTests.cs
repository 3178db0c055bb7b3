using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Hosting;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Hosting;

/// <summary>When the log says that local ports become few.</summary>
internal sealed class PortWatchTests
{
    [Test]
    public async Task Seventy_percent_of_a_source_and_destination_is_said_once_for_each_crossing_and_not_too_often()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        snapshot.Ports.Supply.Range = PortRange.Parse("40000 40009", "");
        var clock = new FakeTimeProvider();
        var log = new FakeLogger<PortWatch>();
        await using var watch = new PortWatch(() => snapshot, () => snapshot.Ports.Supply.Range, clock, log);
        List<ConnectionRecord> open = [.. Enumerable.Range(0, 6).Select(_ => Connections.Established(snapshot))];
        watch.Look();
        Assert.That(Lines(log), Is.Empty, "60%");

        open.Add(Connections.Established(snapshot));
        watch.Look();
        watch.Look();
        Assert.That(Lines(log), Is.EqualTo(new[]
        {
            $"source address auto: 7 of 10 local ports to {snapshot.Pools[0].Backends[0].Endpoint} are in use: "
                + "add addresses to source_ips, add backends, or widen ip_local_port_range",
        }));

        Cross();
        Assert.That(Lines(log), Has.Length.EqualTo(1), "within the minute");

        Pass(1);
        watch.Look();
        Assert.That(Lines(log), Has.Length.EqualTo(2), "still past it after the second crossing");

        Pass(2);
        watch.Look();
        Assert.That(Lines(log), Has.Length.EqualTo(2), "no crossing since");

        Cross();
        Assert.That(Lines(log), Has.Length.EqualTo(3));

        // Its own timer stays where it is: the test looks.
        void Pass(int minutes) => clock.AdjustTime(clock.GetUtcNow() + TimeSpan.FromMinutes(minutes));

        void Cross()
        {
            foreach (ConnectionRecord leaving in open[..2])
            {
                ConnectionRecord record = leaving;
                record.Close(snapshot.State, CloseReason.BackendClosed, wasFirst: false, Instant.Now(clock));
            }

            watch.Look();
            open.RemoveRange(0, 2);
            open.AddRange([Connections.Established(snapshot), Connections.Established(snapshot)]);
            watch.Look();
        }
    }

    [Test]
    public async Task Range_is_followed_and_its_change_is_said()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        PortRange first = PortRange.Parse("40000 40009", "");
        snapshot.Ports.Supply.Range = first;
        PortRange host = PortRange.Parse("40000 40009", "");
        var log = new FakeLogger<PortWatch>();
        await using var watch = new PortWatch(() => snapshot, () => host, TimeProvider.System, log);
        watch.AskRange();
        Assert.That((Lines(log).Length, snapshot.Ports.Supply.Range), Is.EqualTo((0, first)));

        host = PortRange.Parse("40000 40099", "40050");
        watch.AskRange();
        Assert.That(snapshot.Ports.Supply.Range.Count, Is.EqualTo(99));
        Assert.That(Lines(log), Is.EqualTo(new[] { "ip_local_port_range changed: 99 local ports available" }));
    }

    [Test]
    public async Task A_range_that_cannot_be_read_leaves_the_last_one()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        PortRange first = PortRange.Parse("40000 40009", "");
        snapshot.Ports.Supply.Range = first;
        var log = new FakeLogger<PortWatch>();
        await using var watch = new PortWatch(() => snapshot, () => PortRange.Unknown, TimeProvider.System, log);
        watch.AskRange();

        Assert.That((snapshot.Ports.Supply.Range, Lines(log).Length), Is.EqualTo((first, 0)));
    }

    [Test]
    public async Task A_look_that_fails_is_said_and_is_not_the_last()
    {
        var clock = new FakeTimeProvider();
        using var looked = new SemaphoreSlim(0);
        var log = new FakeLogger<PortWatch>();
        await using var watch = new PortWatch(
            () =>
            {
                looked.Release();
                throw new IOException("too many open files");
            },
            () => PortRange.Unknown,
            clock,
            log);
        for (int i = 0; i < 3; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            Assert.That(await looked.WaitAsync(TimeSpan.FromSeconds(30)), Is.True);
        }

        await watch.DisposeAsync();
        Assert.That(Lines(log), Has.Exactly(3).EqualTo("the local port check failed; it will be retried"));
    }

    private static string[] Lines(FakeLogger log) => [.. log.Collector.GetSnapshot().Select(r => r.Message)];
}
