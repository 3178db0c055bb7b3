using L4Balancer.Admin;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;

namespace L4Balancer.Tests.Admin;

internal sealed class ConnectionListingTests
{
    private const int Seed = 4711;

    private static readonly ConnectionRecord Established = Connections.Established(Connections.Snapshot());

    [TestCase(1)]
    [TestCase(255)]
    [TestCase(256)]
    [TestCase(257)]
    [TestCase(5000)]
    public void It_keeps_what_a_full_sort_would_keep(int limit)
    {
        var random = new Random(Seed);
        OpenConnection[] all = [.. Enumerable.Range(0, 3000).Select(_ => One(random))];
        (ConnectionSort Sort, Func<OpenConnection, long> Key)[] orders =
        [
            (ConnectionSort.Bytes, c => c.Record.BytesToBackend + c.Record.BytesToClient),
            (ConnectionSort.Idle, c => -c.LastActivity.Ticks),
        ];
        foreach ((ConnectionSort sort, Func<OpenConnection, long> key) in orders)
        {
            using var listing = new ConnectionListing(new ConnectionQuery(null, null, sort, limit));
            Array.ForEach(all, listing.Add);
            Assert.That(listing.Total, Is.EqualTo(all.Length));
            Assert.That(listing.InOrder().Select(key), Is.EqualTo(all.Select(key).OrderDescending().Take(limit)), sort.ToString());
        }
    }

    [TestCase("203.0.113.0/24", 1)]
    [TestCase("203.0.114.0/24", 0)]
    public void It_takes_only_the_clients_that_were_asked_for(string range, int expected)
    {
        Assert.That(Cidr.TryParse(range, out Cidr cidr), Is.True);
        Assert.That(Take(new ConnectionQuery(null, cidr, ConnectionSort.Age, 10)), Is.EqualTo(expected));
    }

    [TestCase("chat", "ws1", 1)]
    [TestCase("chat", "ws2", 0)]
    [TestCase("rooms", "ws1", 0)]
    public void It_takes_only_the_backend_that_was_asked_for(string pool, string name, int expected) =>
        Assert.That(Take(new ConnectionQuery((pool, name), null, ConnectionSort.Age, 10)), Is.EqualTo(expected));

    private static int Take(ConnectionQuery query)
    {
        using var listing = new ConnectionListing(query);
        listing.Add(One(new Random(Seed)));
        return listing.Total;
    }

    private static OpenConnection One(Random random)
    {
        ConnectionRecord record = Established;
        record.BytesToBackend = random.NextInt64(1_000_000);
        record.BytesToClient = random.NextInt64(1_000_000);
        return new OpenConnection(record, new Instant(random.NextInt64(1_000_000)));
    }
}
