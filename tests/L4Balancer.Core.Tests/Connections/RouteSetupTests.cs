using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>From accept over the first bytes of a client to its pool and backend, in virtual time.</summary>
internal sealed class RouteSetupTests
{
    private static readonly PoolSettings Default = Named("default");
    private static readonly PoolSettings Rooms = Named("rooms");
    private static readonly PoolSettings Other = Named("other");

    [TestCase("a.example.com", "", ExpectedResult = "rooms 1")]
    [TestCase("A.Example.com.", "", ExpectedResult = "rooms 1")]
    [TestCase("example.com", "h2", ExpectedResult = "other 2")]
    [TestCase("example.com", "http/1.1", ExpectedResult = "default default")]
    [TestCase("", "", ExpectedResult = "default default")]
    public string First_route_that_fits_the_hello_decides(string name, string protocol)
    {
        SetupAttempt attempt = Tls(
            Route("rooms") with { Sni = ["*.example.com"] }, Route("other") with { Alpn = ["h2", "h3"] }).Accept();
        Assert.That((attempt.Action, attempt.Record.Route), Is.EqualTo((SetupAction.Inspect, "")));

        attempt.Hello(name, protocol.Length == 0 ? [] : [protocol]);

        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Connect));
        return $"{attempt.Record.Pool.Name} {attempt.Record.Route}";
    }

    [TestCase("/rooms/1", "chat.example.com", ExpectedResult = "rooms 1")]
    [TestCase("/r%6Foms/1", "Chat.Example.com:8080", ExpectedResult = "rooms 1")]
    [TestCase("/rooms/1", "other.example.com", ExpectedResult = "default default")]
    [TestCase("/room", "chat.example.com", ExpectedResult = "other 2")]
    [TestCase("/Room", "chat.example.com", ExpectedResult = "default default")]
    public string All_conditions_of_a_route_must_fit_the_request(string path, string host)
    {
        SetupAttempt attempt = Http(
            Route("rooms") with { Path = ["/x", "/rooms/*"], Host = ["chat.example.com"] }, Route("other") with { Path = ["/room"] }).Accept();

        attempt.Request($"GET {path}?q=1 HTTP/1.1\r\nHost: {host}\r\n\r\n");

        return $"{attempt.Record.Pool.Name} {attempt.Record.Route}";
    }

    [Test]
    public void Source_of_a_route_is_the_client_itself_and_needs_no_inspection()
    {
        var scene = new SetupScene(
            l => l with { Routes = [Route("rooms") with { Source = [Range("192.0.2.0/24")] }], AcceptProxyFrom = [Range("198.51.100.0/24")] },
            Default, Rooms);
        SetupAttempt attempt = scene.Accept();
        Assert.That((attempt.Action, attempt.AwaitsProxyHeader), Is.EqualTo((SetupAction.Inspect, true)));

        attempt.Proxied("192.0.2.7:5000");

        Assert.That((attempt.Action, attempt.Record.Pool.Name), Is.EqualTo((SetupAction.Connect, "rooms")));
        Assert.That(attempt.Record.Tuple, Is.EqualTo(new FourTuple(SetupScene.At("192.0.2.7:5000"), SetupScene.At("203.0.113.1:443"))));
    }

    [Test]
    public void Lists_and_limits_use_the_client_that_a_PROXY_header_names()
    {
        var scene = new SetupScene(
            l => l with { AcceptProxyFrom = [Range("198.51.100.1")], Deny = [Range("192.0.2.0/24")], MaxConnectionsPerSource = 1 }, Default);
        SetupAttempt denied = scene.Accept();
        denied.Proxied("192.0.2.7:5000");
        SetupAttempt first = scene.Accept();
        first.Proxied("203.0.113.9:1");
        SetupAttempt second = scene.Accept();
        second.Proxied("203.0.113.9:2");
        SetupAttempt another = scene.Accept();
        another.Proxied("203.0.113.10:2");
        SetupAttempt check = scene.Accept();
        check.Proxied(null);

        Assert.That(denied.Record.Reason, Is.EqualTo(CloseReason.Denied));
        Assert.That((first.Action, second.Record.Reason, second.Record.Limit), Is.EqualTo((SetupAction.Connect, CloseReason.Limit, LimitKind.Source)));
        Assert.That((another.Action, check.Action), Is.EqualTo((SetupAction.Connect, SetupAction.Connect)));
        Assert.That(check.Record.Tuple.Source.Address.ToString(), Is.EqualTo("198.51.100.1"), "LOCAL: the peer is the client");
    }

    [Test]
    public void Peer_that_is_no_proxy_is_the_client_at_once() =>
        Assert.That(new SetupScene(l => l with { AcceptProxyFrom = [Range("10.0.0.0/8")] }, Default).Accept().Action, Is.EqualTo(SetupAction.Connect));

    [Test]
    public void What_cannot_be_read_goes_to_the_pool_or_is_refused([Values] InspectFailed failed)
    {
        var scene = new SetupScene(l => l with { Inspect = InspectKind.Tls, InspectFailed = failed }, Default);
        SetupAttempt attempt = scene.Accept();

        attempt.Unreadable();

        if (failed == InspectFailed.Refuse) scene.AssertRefused(attempt, CloseReason.InspectInvalid);
        else Assert.That(attempt.Action, Is.EqualTo(SetupAction.Connect));
    }

    [Test]
    public void Proxy_without_its_header_is_refused_whatever_inspect_failed_says([Values] bool isLate)
    {
        var scene = new SetupScene(l => l with { AcceptProxyFrom = [Range("0.0.0.0/0")] }, Default);
        SetupAttempt attempt = scene.Accept();

        if (isLate) attempt.MissDeadline();
        else attempt.Unreadable();

        scene.AssertRefused(attempt, CloseReason.ProxyHeaderInvalid);
    }

    [Test]
    public void Client_that_dawdles_is_refused_at_one_deadline_for_both_heads()
    {
        var scene = new SetupScene(
            l => l with { AcceptProxyFrom = [Range("0.0.0.0/0")], Inspect = InspectKind.Http, InspectTimeout = TimeSpan.FromSeconds(2) }, Default);
        SetupAttempt attempt = scene.Accept();
        AssertLeft(attempt, scene, 2);
        scene.Pass(TimeSpan.FromSeconds(1));
        attempt.Proxied("192.0.2.7:5000");
        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Inspect));
        AssertLeft(attempt, scene, 1);

        attempt.MissDeadline(isLate: true);
        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Inspect), "the engine stood still: one more look");
        attempt.MissDeadline(isLate: true);

        scene.AssertRefused(attempt, CloseReason.InspectTimeout);
    }

    [Test]
    public void Connection_is_routed_by_the_configuration_that_holds_when_its_head_is_complete()
    {
        SetupScene scene = Http(Route("rooms") with { Path = ["/*"] });
        SetupAttempt attempt = scene.Accept();
        scene.Reload(l => l with { Routes = [Route("other") with { Path = ["/*"] }] }, Default, Rooms, Other);

        attempt.Request("GET /rooms/1 HTTP/1.1\r\n\r\n");

        Assert.That(attempt.Record.Pool.Name, Is.EqualTo("other"));
    }

    [Test]
    public void Same_key_goes_to_one_backend_from_any_client_and_on_retries_too([Values(BalanceKind.Ring, BalanceKind.Maglev)] BalanceKind balance)
    {
        PoolSettings pool = SetupScene.PoolOf(8) with { Balance = balance, HashKey = TupleFields.None, HashFields = [Field("http-query:room")] };
        var scene = new SetupScene(l => l with { Inspect = InspectKind.Http }, pool);
        HashSet<(int, int)> seen = [];
        for (ushort port = 1; port <= 50; port++)
        {
            SetupAttempt attempt = scene.Accept(port);
            attempt.Request($"GET /chat?x={port}&room=blue HTTP/1.1\r\n\r\n");
            int first = attempt.Backend;
            attempt.Fail(ConnectFailure.Refused);
            seen.Add((first, attempt.Backend));
            Assert.That(attempt.Record.Names, Is.EqualTo(new ClientNames(null, null, "blue")));
        }

        Assert.That(seen, Has.Count.EqualTo(1), "the first and the second choice");
        Assert.That(seen.Single().Item1, Is.Not.EqualTo(seen.Single().Item2));
        Assert.That(scene.Listener.KeysMissing, Is.Zero);
    }

    [Test]
    public void Missing_key_falls_back_to_the_tuple_and_is_counted()
    {
        PoolSettings pool = SetupScene.PoolOf(8) with { HashKey = TupleFields.None, HashFields = [Field("http-cookie:sid")] };
        var scene = new SetupScene(l => l with { Inspect = InspectKind.Http }, pool);
        Pool byTuple = new SetupScene(SetupScene.PoolOf(8)).Pool;
        for (ushort port = 1; port <= 50; port++)
        {
            SetupAttempt attempt = scene.Accept(port);
            attempt.Request("GET / HTTP/1.1\r\n\r\n");
            Assert.That(attempt.Backend, Is.EqualTo(byTuple.Pick(attempt.Record.Tuple, [])));
        }

        Assert.That(scene.Listener.KeysMissing, Is.EqualTo(50));
    }

    [Test]
    public void Key_that_no_balance_uses_is_not_missed()
    {
        PoolSettings pool = SetupScene.PoolOf(2) with
        {
            Balance = BalanceKind.RoundRobin,
            HashKey = TupleFields.None,
            HashFields = [Field("http-cookie:sid")],
        };
        var scene = new SetupScene(l => l with { Inspect = InspectKind.Http }, pool);
        scene.Accept().Request("GET / HTTP/1.1\r\n\r\n");

        Assert.That(scene.Listener.KeysMissing, Is.Zero);
    }

    [Test]
    public void Sticky_key_stays_on_its_backend_when_another_is_added()
    {
        PoolSettings Pool(int backends) => SetupScene.PoolOf(backends) with
        {
            HashKey = TupleFields.None,
            HashFields = [Field("sni")],
            Sticky = new StickySettings { Ttl = TimeSpan.FromMinutes(1) },
        };
        var scene = new SetupScene(l => l with { Inspect = InspectKind.Tls }, Pool(2));
        Dictionary<string, BackendState> before = [];
        for (int i = 0; i < 40; i++)
        {
            SetupAttempt attempt = scene.Accept((ushort)(1000 + i));
            attempt.Hello($"t{i}.test");
            attempt.Connected();
            before[$"t{i}.test"] = attempt.Record.Backend!;
        }

        scene.Reload(Pool(10));
        foreach ((string name, BackendState backend) in before)
        {
            SetupAttempt again = scene.Accept(9);
            again.Hello(name);
            Assert.That(again.Record.Backend, Is.SameAs(backend), name);
        }
    }

    [Test]
    public void Queued_connection_keeps_its_route_and_key_over_a_reload()
    {
        PoolSettings rooms = SetupScene.PoolOf(4) with
        {
            Name = "rooms",
            HashKey = TupleFields.None,
            HashFields = [Field("http-query:room")],
            NewConnectionRate = 1,
        };
        Func<ListenerSettings, ListenerSettings> routed =
            l => l with { Inspect = InspectKind.Http, Routes = [Route("other") with { Path = ["/o"] }, Route("rooms") with { Path = ["/*"] }] };
        var scene = new SetupScene(routed, Default, rooms, Other);
        SetupAttempt first = scene.Accept();
        first.Request("GET /?room=a HTTP/1.1\r\n\r\n");
        SetupAttempt queued = scene.Accept(7);
        queued.Request("GET /?room=a HTTP/1.1\r\n\r\n");
        Assert.That(queued.Action, Is.EqualTo(SetupAction.Wait));
        scene.Reload(l => l with { Routes = [Route("rooms") with { Path = ["/*"] }] }, Default, rooms, Other);

        queued.MissDeadline();

        Assert.That((queued.Action, queued.Record.Route, queued.Record.Pool.Name), Is.EqualTo((SetupAction.Connect, "1", "rooms")));
        Assert.That(queued.Record.Backend, Is.SameAs(first.Record.Backend));
    }

    [Test]
    public void Listener_stays_open_while_the_pool_of_a_route_takes_connections()
    {
        SetupScene scene = new(
            l => l with { OnPoolDown = OnPoolDown.StopListening, Routes = [Route("rooms") with { Source = [Range("10.0.0.0/8")] }] }, Default, Rooms);
        Listener listener = scene.Snapshot.Listeners[0];

        listener.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down });
        Assert.That(listener.IsOpen, Is.True);
        listener.Routes[0].Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down });
        Assert.That(listener.IsOpen, Is.False);
    }

    [Test]
    public void Transparent_connect_comes_from_the_client_where_the_families_agree()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1) with { Transparent = true });
        SetupAttempt attempt = scene.Accept();

        Assert.That((attempt.Step.Transparent, attempt.Step.Source), Is.EqualTo(((HostAddress?)HostAddress.FromV4(0xC633_6401), (HostAddress?)null)));
        var six = new SetupAttempt(scene);
        six.Accepted(new FourTuple(SetupScene.At("[2001:db8::1]:5"), SetupScene.At("[2001:db8::2]:80")));
        Assert.That((six.Action, six.Step.Transparent), Is.EqualTo((SetupAction.Connect, (HostAddress?)null)));
    }

    private static void AssertLeft(SetupAttempt attempt, SetupScene scene, int seconds) =>
        Assert.That(attempt.Step.Deadline - scene.Now, Is.EqualTo(TimeSpan.FromSeconds(seconds)));

    private static SetupScene Tls(params RouteSettings[] routes) =>
        new(l => l with { Inspect = InspectKind.Tls, Routes = [.. routes] }, Default, Rooms, Other);

    private static SetupScene Http(params RouteSettings[] routes) =>
        new(l => l with { Inspect = InspectKind.Http, Routes = [.. routes] }, Default, Rooms, Other);

    private static RouteSettings Route(string pool) => new() { Pool = pool };

    private static PoolSettings Named(string name) => SetupScene.PoolOf(1) with { Name = name };

    private static Cidr Range(string text) => Cidr.TryParse(text, out Cidr range) ? range : throw new FormatException(text);

    private static HashKeyField Field(string text) =>
        HashKeyField.TryParse(text, out HashKeyField? field) ? field : throw new FormatException(text);
}
