using System.Text;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Tests;

/// <summary>Connections as an engine would drive them, without one.</summary>
internal static class Connections
{
    public static readonly Instant Start = new(TimeSpan.TicksPerSecond);

    private static readonly FourTuple Tuple = new(ParseEndpoint("203.0.113.7:51234"), ParseEndpoint("198.51.100.1:443"));

    /// <summary>One listener <c>wss</c> before one pool.</summary>
    public static RoutingSnapshot Snapshot(int backends = 1, string pool = "chat", string listener = "wss") =>
        RoutingSnapshot.Build(new(Config(backends, pool, listener), MaxConnections: 1000));

    public static BalancerConfig Config(int backends = 1, string pool = "chat", string listener = "wss") => new()
    {
        Listeners = [new ListenerSettings { Name = listener, Bind = [ParseEndpoint("198.51.100.1:443")], Pool = pool }],
        Pools =
        [
            new PoolSettings
            {
                Name = pool,
                Backends = [.. Enumerable.Range(0, backends).Select(BackendAt)],
            },
        ],
    };

    /// <summary>Accepted, connected 2 ms later, closed 5 s after that.</summary>
    public static ConnectionRecord Closed(RoutingSnapshot snapshot, CloseReason reason)
    {
        ConnectionRecord record = Established(snapshot);
        record.BytesToBackend = 1234;
        record.BytesToClient = 5678;
        record.Close(snapshot.State, reason, wasFirst: false, Start + TimeSpan.FromMilliseconds(5002));
        return record;
    }

    public static ConnectionRecord Established(RoutingSnapshot snapshot) => Established(snapshot, Tuple);

    public static ConnectionRecord Established(RoutingSnapshot snapshot, FourTuple tuple)
    {
        ConnectionRecord record = default;
        ConnectionSetup setup = default;
        setup.Accepted(ref record, snapshot, snapshot.Listeners[0], tuple, Start);
        setup.Connected(ref record, ParseEndpoint("10.0.0.1:40000"), Start + TimeSpan.FromMilliseconds(2));
        return record;
    }

    /// <summary>After a request to a listener with a route for chat.test, and a pool with the parameter "room" as its key.</summary>
    public static ConnectionRecord ClosedAfterRequest(string request)
    {
        Assert.That(HashKeyField.TryParse("http-query:room", out HashKeyField? field));
        BalancerConfig config = Config();
        config = config with
        {
            Listeners =
            [
                config.Listeners[0] with { Inspect = InspectKind.Http, Routes = [new RouteSettings { Host = ["chat.test"], Pool = "chat" }] },
            ],
            Pools = [config.Pools[0] with { HashKey = TupleFields.None, HashFields = [field!] }],
        };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(config, MaxConnections: 1000));
        ConnectionRecord record = default;
        ConnectionSetup setup = default;
        setup.Accepted(ref record, snapshot, snapshot.Listeners[0], Tuple, Start);
        RequestHead.TryParse(Encoding.UTF8.GetBytes(request), setup.InspectLimit, out RequestHead head);
        setup.HeadRead(ref record, new Inspected(head), snapshot, Start);
        setup.Connected(ref record, ParseEndpoint("10.0.0.1:40000"), Start);
        record.Close(snapshot.State, CloseReason.ClientClosed, wasFirst: false, Start);
        return record;
    }

    /// <summary>Accepted, and ended by this reason a millisecond later while connecting.</summary>
    public static ConnectionRecord Refused(RoutingSnapshot snapshot, CloseReason reason)
    {
        ConnectionRecord record = default;
        ConnectionSetup setup = default;
        setup.Accepted(ref record, snapshot, snapshot.Listeners[0], Tuple, Start);
        setup.Abandon(ref record, reason, Start + TimeSpan.FromMilliseconds(1));
        return record;
    }

    private static BackendSettings BackendAt(int index)
    {
        string address = $"10.{index / 65536}.{index / 256 % 256}.{index % 256}:8443";
        return new BackendSettings
        {
            Name = $"ws{index + 1}",
            Address = address,
            Endpoint = ParseEndpoint(address),
            PublicUrl = $"wss://ws{index + 1}.example.com",
        };
    }

    private static Endpoint ParseEndpoint(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);
}
