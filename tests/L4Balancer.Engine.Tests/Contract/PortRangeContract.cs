using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Listeners with many ports.</summary>
internal abstract class PortRangeContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    /// <summary>An address of loopback that no other test uses, below the range of ephemeral ports.</summary>
    private const string Host = "127.0.0.77";

    private const int First = 20_000;

    [Test]
    public async Task A_reload_binds_and_closes_only_what_has_changed()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Listener(First, 1000));
        await VisitAsync(At(First));
        await VisitAsync(At(First + 999));
        Dictionary<Endpoint, int> before = Descriptors(First, 1000);

        rig.Publish(Settings.Config(Settings.Pool(backend), Listener(First + 10, 1000)));

        Assert.That(Descriptors(First + 10, 990), Is.EqualTo(before.Where(d => d.Key.Port >= First + 10).ToDictionary()));
        await VisitAsync(At(First + 1009));
        Assert.That(rig.Engine.Bound, Is.EqualTo(Enumerable.Range(First + 10, 1000).Select(At)));
    }

    [Test]
    public async Task A_port_in_use_is_named_and_nothing_is_bound()
    {
        Rig taken = Start(Settings.Pool(Backend()), Listener(First + 5, 1));
        await using IEngine engine = NewEngine(new RecordedConnections());

        IReadOnlyList<ListenFailure> failures = engine.Start(Snapshot(Listener(First, 50)));

        Assert.That(failures.Single().Message, Does.Contain($"{Host}:{First + 5} (listener listener): the port is in use"));
        Assert.That(engine.Bound, Is.Empty);
        Assert.That(taken.Engine.Bound, Is.EqualTo([At(First + 5)]));
    }

    [Test]
    public async Task Many_failures_are_cut_short()
    {
        Start(Settings.Pool(Backend()), Listener(First, 200));
        await using IEngine engine = NewEngine(new RecordedConnections());

        IReadOnlyList<ListenFailure> failures = engine.Start(Snapshot(Listener(First, 200)));

        Assert.That(failures, Has.Count.EqualTo(21));
        Assert.That(failures[^1].Message, Is.EqualTo($"180 more addresses cannot be listened on, the first of them {Host}:{First + 20} (listener listener)"));
    }

    [Test]
    public void A_range_takes_one_line_of_the_log()
    {
        FakeLogCollector log = new();
        using var loggers = LoggerFactory.Create(b => b.AddProvider(new FakeLoggerProvider(log)));
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Listener(First, 100), log: loggers);
        rig.Publish(Settings.Config(Settings.Pool(backend), Listener(First + 50, 50)));

        Assert.That(log.GetSnapshot().Select(r => r.Message).Where(m => m.Contains(Host)), Is.EqualTo([
            $"listening on {Host}:{First}-{First + 99} (listener listener)",
            $"no longer listening on {Host}:{First}-{First + 49} (listener listener)",
        ]));
    }

    private static Endpoint At(int port) => new(Settings.Address(Host), (ushort)port);

    private static ListenerSettings Listener(int first, int count) =>
        new() { Name = "listener", Bind = [.. Enumerable.Range(first, count).Select(At)], Pool = "pool" };

    private static RoutingSnapshot Snapshot(ListenerSettings listener) =>
        RoutingSnapshot.Build(new(Settings.Config(Settings.Pool(), listener), 1000));

    private static Dictionary<Endpoint, int> Descriptors(int first, int count)
    {
        Dictionary<Endpoint, int> all = EngineSocket.AllListening();
        return Enumerable.Range(first, count).Select(At).ToDictionary(e => e, e => all[e]);
    }
}
