using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>Clients and backends without an address: those of UNIX sockets.</summary>
internal sealed class UnixClientTests
{
    [Test]
    public void A_client_has_the_low_bits_of_its_id_for_a_port_so_that_a_hash_spreads_them()
    {
        var scene = new SetupScene(SetupScene.PoolOf(4));
        SetupAttempt[] attempts = [.. Enumerable.Range(0, 400).Select(_ => Accept(scene))];

        Assert.That(attempts.Select(a => a.Record.Tuple.Source), Is.EqualTo(attempts.Select(a => Endpoint.OfUnixClient((ushort)a.Record.Id))));
        Assert.That(attempts.GroupBy(a => a.Backend).Select(g => g.Count()), Has.Exactly(4).InRange(50, 200));
    }

    [TestCase("", "", ExpectedResult = true)]
    [TestCase("unix", "", ExpectedResult = true)]
    [TestCase("10.0.0.0/8 unix", "", ExpectedResult = true)]
    [TestCase("10.0.0.0/8", "", ExpectedResult = false)]
    [TestCase("::/0", "", ExpectedResult = false)]
    [TestCase("0.0.0.0/0", "", ExpectedResult = false)]
    [TestCase("", "::/0", ExpectedResult = true)]
    [TestCase("", "0.0.0.0/0", ExpectedResult = true)]
    [TestCase("", "unix", ExpectedResult = false)]
    [TestCase("unix", "unix", ExpectedResult = false)]
    public bool Only_unix_stands_for_the_clients_in_allow_and_deny(string allow, string deny)
    {
        var scene = new SetupScene(SetupScene.PoolOf(1), listener: l => l with { Allow = [.. Ranges(allow)], Deny = [.. Ranges(deny)] });

        bool isAdmitted = Accept(scene).Action == SetupAction.Connect;
        Assert.That(scene.Listener.Refused[CloseReason.Denied], Is.EqualTo(isAdmitted ? 0 : 1));
        return isAdmitted;
    }

    [Test]
    public void Unix_in_allow_admits_nobody_else()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1), listener: l => l with { Allow = [Cidr.Unix] });

        scene.AssertRefused(scene.Accept(), CloseReason.Denied);
    }

    [Test]
    public void Limits_per_source_do_not_apply_and_the_limit_of_the_listener_does()
    {
        var scene = new SetupScene(
            SetupScene.PoolOf(1), listenerMax: 3, listener: l => l with { MaxConnectionsPerSource = 1, ConnectionRatePerSource = 1 });

        Assert.That(Enumerable.Range(0, 3).Select(_ => Accept(scene).Action), Is.All.EqualTo(SetupAction.Connect));
        scene.AssertRefused(Accept(scene), CloseReason.Limit);
    }

    [Test]
    public void A_UNIX_socket_as_backend_takes_no_source_and_no_port()
    {
        var scene = new SetupScene(Unix(SetupScene.PoolOf(1, "10.0.0.1", "10.0.0.2")));
        SetupAttempt first = scene.Accept();

        Assert.That((first.Step.Source, first.Step.Window, first.Step.Target.ToString()), Is.EqualTo(((HostAddress?)null, (Core.Ports.PortWindow?)null, "unix:/run/b")));
        first.Connected();
        for (int i = 0; i < 40_000; i++)
        {
            SetupAttempt next = scene.Accept();
            next.Connected();
            next.Record.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: true, scene.Now);
        }

        Assert.That(scene.Snapshot.Ports.Uses, Is.Empty);
        Assert.That(scene.Snapshot.Ports.Fullest(scene.Now), Is.Empty);
        Assert.That((scene.Ports.Held, scene.Ports.InUse(scene.Now)), Is.EqualTo((1, 1)), "none waits");
    }

    [Test]
    public void A_full_queue_is_tried_again_and_does_not_mark_the_backend_down()
    {
        PoolSettings pool = Unix(SetupScene.PoolOf(1)) with { Passive = new PassiveSettings { Failures = 1 }, ConnectAttempts = 2 };
        var scene = new SetupScene(pool);
        SetupAttempt attempt = scene.Accept();

        attempt.Fail(ConnectFailure.QueueFull);
        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Wait));
        attempt.MissDeadline();
        attempt.Fail(ConnectFailure.QueueFull);

        scene.AssertRefused(attempt, CloseReason.ConnectTimeout);
        Assert.That(scene.Backend(0).Connects.FailedInARow, Is.Zero);
    }

    [Test]
    public void A_pool_with_a_UNIX_socket_is_the_same_object_after_a_reload_without_a_change()
    {
        PoolSettings pool = Unix(SetupScene.PoolOf(2));
        var scene = new SetupScene(pool);
        Core.Routing.Pool before = scene.Pool;

        scene.Reload(pool);

        Assert.That(scene.Pool, Is.SameAs(before));
    }

    private static SetupAttempt Accept(SetupScene scene)
    {
        var attempt = new SetupAttempt(scene);
        attempt.Accepted(new FourTuple(Endpoint.OfUnixClient(0), Endpoint.OfUnix("/run/a")));
        return attempt;
    }

    private static PoolSettings Unix(PoolSettings pool) => pool with
    {
        Backends = [pool.Backends[0] with { Address = "unix:/run/b", Endpoint = Endpoint.OfUnix("/run/b") }, .. pool.Backends[1..]],
    };

    private static IEnumerable<Cidr> Ranges(string texts)
    {
        foreach (string text in texts.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            Assert.That(Cidr.TryParse(text, out Cidr range), Is.True);
            Assert.That(range.ToString(), Is.EqualTo(text));
            yield return range;
        }
    }
}
