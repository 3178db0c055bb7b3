using System.Diagnostics;
using L4Balancer.Admin;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Tests.Admin;

/// <summary>What an answer of <c>/v1/locate</c> costs while a backend is down.</summary>
internal sealed class LocationCostTests
{
    private const int Times = 100;

    [Test]
    public void No_ring_is_built_for_an_answer()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 1000);
        Listener listener = snapshot.Listeners[0];
        listener.Pool.SetHealth(new Dictionary<int, HealthState> { [3] = HealthState.Down });
        var tuple = new FourTuple(new Endpoint(HostAddress.FromV4(0xCB00_7107), 51234), new Endpoint(HostAddress.FromV4(0xC633_6401), 443));
        string? owner = Location.Of(listener, tuple.Source, tuple.Destination, new AskedClient(), isLive: true, now: default, out _)?.Answer.Owner;
        Assert.That(owner, Is.Not.Null);

        long before = GC.GetAllocatedBytesForCurrentThread();
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < Times; i++)
        {
            _ = Location.Of(listener, tuple.Source, tuple.Destination, new AskedClient(), isLive: true, now: default, out _);
        }

        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / Times;
        TestContext.Out.WriteLine($"{watch.Elapsed.TotalMicroseconds / Times:F0} µs and {each} bytes an answer");

        // The ring of 1000 backends has 160,000 points of ten bytes.
        Assert.That(each, Is.LessThan(20_000));
    }
}
