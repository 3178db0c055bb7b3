using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>One listener, one pool, and connections that a test sets up by hand, on a clock that it moves itself.</summary>
internal sealed class SetupScene
{
    public SetupScene(
        PoolSettings pool, int maxConnections = 1000, int listenerMax = 0, Func<ListenerSettings, ListenerSettings>? listener = null, ulong seed = 0) =>
        Snapshot = RoutingSnapshot.Build(new(
            Config(
                pool,
                (listener ?? (l => l))(
                    new ListenerSettings { Name = "l", Bind = [At("127.0.0.1:80")], Pool = pool.Name, MaxConnections = listenerMax })),
            maxConnections)
        { Seed = seed });

    /// <summary>A listener with routes to several pools; the first is its own.</summary>
    public SetupScene(Func<ListenerSettings, ListenerSettings> listener, params PoolSettings[] pools) =>
        Snapshot = RoutingSnapshot.Build(new(
            new BalancerConfig
            {
                Listeners = [listener(new ListenerSettings { Name = "l", Bind = [At("127.0.0.1:80")], Pool = pools[0].Name })],
                Pools = [.. pools],
            },
            1000));

    public RoutingSnapshot Snapshot { get; private set; }

    public Instant Now { get; private set; } = new(TimeSpan.TicksPerDay);

    public Pool Pool => Snapshot.Pools[0];

    public ListenerState Listener => Snapshot.Listeners[0].State;

    public BackendState Backend(int index) => Pool.Backends[index].State;

    /// <summary>Its place in the pool of the newest snapshot.</summary>
    public int IndexOf(BackendState backend) => Pool.Backends.Select(b => b.State).ToList().IndexOf(backend);

    /// <summary>The first source's towards the first backend.</summary>
    public PortUse Ports => Pool.Backends[0].Sources[0];

    public long ConnectAttempts => Pool.Backends.Sum(b => b.State.ConnectAttempts);

    public long ConnectFailures => Pool.Backends.Sum(b => b.State.ConnectFailures.Total);

    /// <summary>A pool of backends 10.0.1.0:80 and so on.</summary>
    public static PoolSettings PoolOf(int backends, params string[] sources) => new()
    {
        Name = "p",
        SourceIps = [.. sources.Select(s => At($"{s}:0").Address)],
        Backends =
        [
            .. Enumerable.Range(0, backends).Select(i => new BackendSettings
            {
                Name = string.Create(CultureInfo.InvariantCulture, $"b{i}"),
                Address = string.Create(CultureInfo.InvariantCulture, $"10.0.1.{i}:80"),
                Endpoint = new Endpoint(HostAddress.FromV4(0x0A00_0100u + (uint)i), 80),
            }),
        ],
    };

    public static Endpoint At(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);

    /// <param name="port">The client's, which decides where on the ring it lands.</param>
    public SetupAttempt Accept(ushort port = 40_000)
    {
        var attempt = new SetupAttempt(this);
        attempt.Accepted(new FourTuple(new Endpoint(HostAddress.FromV4(0xC633_6401), port), At("127.0.0.1:80")));
        return attempt;
    }

    /// <summary>The same listener over another pool, or the same pool as the file has it now.</summary>
    public void Reload(PoolSettings pool) =>
        Snapshot = RoutingSnapshot.Build(new(Config(pool, Snapshot.Listeners[0].Settings), Snapshot.MaxConnections), Snapshot);

    /// <summary>Another configuration in place of this one.</summary>
    public void Reload(Func<ListenerSettings, ListenerSettings> listener, params PoolSettings[] pools) =>
        Snapshot = RoutingSnapshot.Build(
            new(new BalancerConfig { Listeners = [listener(Snapshot.Listeners[0].Settings)], Pools = [.. pools] }, 1000), Snapshot);

    public void Pass(TimeSpan time) => Now += time;

    /// <summary>It is, with this reason, in the record and in every count.</summary>
    public void AssertRefused(SetupAttempt attempt, CloseReason reason)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That((attempt.Action, attempt.Step.Reason), Is.EqualTo((SetupAction.Refuse, reason)));
            Assert.That((attempt.Record.Reason, attempt.Record.EndedAt), Is.EqualTo((reason, Now)));
            Assert.That(Listener.Refused[reason], Is.EqualTo(1));
            Assert.That(Listener.Pending, Is.EqualTo(Listener.Accepted - 1), "the others are pending");
            Assert.That(Snapshot.State.Open, Is.EqualTo(Listener.Open));
        }
    }

    private static BalancerConfig Config(PoolSettings pool, ListenerSettings listener) =>
        new() { Listeners = [listener with { Pool = pool.Name }], Pools = [pool] };
}
