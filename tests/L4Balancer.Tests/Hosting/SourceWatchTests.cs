using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Hosting;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Hosting;

internal sealed class SourceWatchTests
{
    [Test]
    public async Task Trouble_of_a_source_is_said_once_for_each_look_and_only_where_there_is_some()
    {
        var pool = new PoolSettings { Name = "pool", SourceIps = [HostAddress.FromV4(0x7F00_0002), HostAddress.FromV4(0x7F00_0003)] };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(new BalancerConfig { Pools = [pool] }, MaxConnections: 10));
        var log = new FakeLogger<SourceWatch>();
        await using var watch = new SourceWatch(() => snapshot, TimeProvider.System, log);
        LocalAddressState exhausted = snapshot.Sources.Single(s => s.Label == "127.0.0.2");
        LocalAddressState unusable = snapshot.Sources.Single(s => s.Label == "127.0.0.3");

        watch.Look();
        Assert.That(Lines(log), Is.Empty);

        exhausted.CountExhausted();
        exhausted.CountExhausted();
        unusable.CountUnusable();
        watch.Look();
        Assert.That(Lines(log), Is.EqualTo(new[]
        {
            "source address 127.0.0.2 had no free local port (2 times): add addresses to source_ips, add backends, or widen ip_local_port_range",
            "source address 127.0.0.3 is not an address of this host; 1 connects used another source address or failed: "
                + "add it (ip addr shows all) or remove it from source_ips",
        }));

        watch.Look();
        Assert.That(Lines(log), Has.Length.EqualTo(2), "nothing new, nothing said");
    }

    [Test]
    public async Task A_look_that_fails_is_said_and_is_not_the_last()
    {
        var clock = new FakeTimeProvider();
        using var looked = new SemaphoreSlim(0);
        var log = new FakeLogger<SourceWatch>();
        var watch = new SourceWatch(
            () =>
            {
                looked.Release();
                throw new IOException("too many open files");
            },
            clock,
            log);
        for (int i = 0; i < 3; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(10));
            Assert.That(await looked.WaitAsync(TimeSpan.FromSeconds(30)), Is.True);
        }

        await watch.DisposeAsync();
        Assert.That(Lines(log), Has.Exactly(3).EqualTo("the source address check failed; it will be retried"));
    }

    private static string[] Lines(FakeLogger log) => [.. log.Collector.GetSnapshot().Select(r => r.Message)];
}
