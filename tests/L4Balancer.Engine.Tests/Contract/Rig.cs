using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>An engine that runs, with what a test asks of it.</summary>
internal sealed class Rig(IEngine engine, RoutingSnapshot snapshot, RecordedConnections records) : IAsyncDisposable
{
    private readonly HashSet<BackendState> _states = [.. States(snapshot)];
    private readonly HashSet<ListenerState> _listeners = [.. snapshot.Listeners.Select(l => l.State)];

    public IEngine Engine { get; } = engine;

    public RoutingSnapshot Snapshot { get; private set; } = snapshot;

    public RecordedConnections Records { get; } = records;

    /// <summary>What the first snapshot was built of.</summary>
    public BalancerConfig? Config { get; init; }

    /// <summary>Finds what connections of another engine go on with here.</summary>
    public Survivors Survivors { get; } = new(seed: 0);

    /// <summary>Connections that were given up because another engine has them.</summary>
    public int Left { get; set; }

    /// <summary>Connections of another engine that this one was to adopt.</summary>
    public int Came { get; set; }

    /// <summary>The first address that is listened on.</summary>
    public Endpoint Address { get; private set; }

    public Pool Pool => Snapshot.Pools[0];

    public ListenerState Listener => Snapshot.Listeners[0].State;

    public BackendState Backend(int index = 0) => Pool.Backends[index].State;

    /// <summary>Its place in the pool of the newest snapshot.</summary>
    public int IndexOf(BackendState backend) => Pool.Backends.Single(b => b.State == backend).Index;

    /// <summary>Closed connections of all backends, those of snapshots before included.</summary>
    public long Closed => _states.Sum(c => c.Closed.Total);

    /// <summary>By all listeners, those of snapshots before included.</summary>
    public long Accepted => _listeners.Sum(l => l.Accepted);

    public long ClosedAs(CloseReason reason) => _states.Sum(c => c.Closed[reason]);

    public IReadOnlyList<ListenFailure> Start()
    {
        IReadOnlyList<ListenFailure> failures = Engine.Start(Snapshot);
        Address = failures.Count == 0 ? Engine.Bound[0] : default;
        return failures;
    }

    public void Publish(BalancerConfig config) => Assert.That(TryPublish(config), Is.Empty);

    public IReadOnlyList<ListenFailure> TryPublish(BalancerConfig config)
    {
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(config, Snapshot.MaxConnections), Snapshot);
        IReadOnlyList<ListenFailure> failures = Engine.Publish(snapshot);
        if (failures.Count == 0)
        {
            Snapshot = snapshot;
            _states.UnionWith(States(Snapshot));
            _listeners.UnionWith(Snapshot.Listeners.Select(l => l.State));
        }

        return failures;
    }

    public List<ConnectionRecord> List()
    {
        var open = new List<OpenConnection>();
        Engine.List(open.Add);
        return [.. open.Select(o => o.Record)];
    }

    /// <summary>Waits until nothing is open any more.</summary>
    public Task AtRestAsync() => Patience.Until(
        () => Engine.Count == 0 && Snapshot.State.Open == 0 && Records.EndedCount == Accepted + Came - Left,
        $"nothing is open (engine {Engine.Count}, state {Snapshot.State.Open}, ended {Records.EndedCount} of {Accepted} + {Came} - {Left})");

    /// <summary>At rest every accepted connection was refused or closed, once, and nothing is held.</summary>
    public void AssertBooksBalance()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Accepted + Came, Is.EqualTo(_listeners.Sum(l => l.Refused.Total) + Closed + Left), "accepted + came = refused + closed + left");
            Assert.That(_listeners.Sum(l => l.Pending), Is.Zero, "pending");
            Assert.That(_listeners.Sum(l => l.Open), Is.Zero, "open at the listeners");
            Assert.That(Snapshot.State.Open, Is.Zero, "open in all");
            Assert.That(_states.Sum(c => c.Active), Is.Zero, "active");
            Assert.That(Snapshot.Pools.Sum(p => p.State.HalfClosed), Is.Zero, "half-closed");
            Assert.That(Records.EndedCount, Is.EqualTo(Accepted + Came - Left), "records that ended");
            Assert.That(Records.EndedTwice, Is.Zero, "records that ended twice");
            Assert.That((Engine.Count, Engine.Connecting), Is.EqualTo((0, 0)), "the engine's own counts");
            Assert.That(Snapshot.Ports.Uses.Sum(u => u.Held), Is.Zero, "ports");
        }
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();

    private static IEnumerable<BackendState> States(RoutingSnapshot snapshot) => snapshot.Pools.SelectMany(p => p.Backends).Select(b => b.State);
}
