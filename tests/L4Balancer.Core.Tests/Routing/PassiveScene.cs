using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>A health board that receives the events of connects, on a clock that the test moves.</summary>
internal sealed class PassiveScene
{
    private readonly HealthBoard _board = new();
    private readonly List<(BackendState State, PassiveHealthEvent News)> _news = [];

    public PassiveScene(PoolSettings pool)
    {
        Snapshot = Build(pool, null);
        _board.Sync(Snapshot, Now);
        Snapshot.ConnectReports.Handler = (state, news) => _news.Add((state, news));
    }

    public static PassiveSettings Passive { get; } = new() { Failures = 3, Retry = TimeSpan.FromSeconds(10) };

    public RoutingSnapshot Snapshot { get; private set; }

    public Instant Now { get; private set; } = new(TimeSpan.TicksPerDay);

    public Pool Pool => Snapshot.Pools[0];

    /// <summary>Number of events since the last <see cref="OnPassiveEvent"/>.</summary>
    public int News => _news.Count;

    /// <summary>Of the board, leftovers included.</summary>
    public int PlannedTrials => _board.PlannedTrials;

    /// <summary>A pool that nobody probes.</summary>
    public static PoolSettings Unprobed(int backends) => SetupScene.PoolOf(backends) with
    {
        Health = new HealthSettings { Type = HealthType.None },
        Passive = Passive,
        ConnectAttempts = 1,
    };

    public static PoolSettings Probed(int backends) => Unprobed(backends) with { Health = new HealthSettings() };

    /// <summary>Applies the events received so far, as the one writer does.</summary>
    /// <returns>How many of them changed the state of a backend.</returns>
    public int OnPassiveEvent()
    {
        (BackendState State, PassiveHealthEvent News)[] told = [.. _news];
        _news.Clear();
        return told.Count(t => _board.OnPassiveEvent(t.State, t.News, Now));
    }

    /// <summary>Drops the events received so far.</summary>
    public void Lose() => _news.Clear();

    public bool Report(int backend, ProbeOutcome outcome) => _board.Report(Pool.Backends[backend], outcome, "as probed", Now);

    /// <summary>Time passes, and who is due is let try.</summary>
    public void Pass(double seconds)
    {
        Now += TimeSpan.FromSeconds(seconds);
        _board.AllowTrials(Now);
    }

    public IReadOnlyList<(Pool Pool, Backend Backend)> Reload(PoolSettings pool)
    {
        RoutingSnapshot next = Build(pool, Snapshot);
        _board.Mark(next);
        HealthState[] marked = [.. next.Pools[0].Backends.Select(b => next.Pools[0].HealthOf(b.Index))];
        Snapshot = next;
        IReadOnlyList<(Pool, Backend)> risen = _board.Sync(next, Now);
        Assert.That(Pool.Backends.Select(b => Pool.HealthOf(b.Index)), Is.EqualTo(marked), "what the engine sees first is what comes");
        return risen;
    }

    /// <summary>A connection from this port, which decides where on the ring it lands.</summary>
    public Visitor Accept(ushort port) => new(this, port);

    /// <summary>Connects of clients of this backend fail.</summary>
    public void Fail(int backend, int times)
    {
        for (int port = 1; times > 0; port++)
        {
            Visitor visitor = Accept((ushort)port);
            if (visitor.Backend == backend)
            {
                visitor.Fail(ConnectFailure.Refused);
                times--;
            }
            else
            {
                visitor.Leave();
            }
        }
    }

    public void TakeDown(int backend)
    {
        Fail(backend, Passive.Failures);
        Assert.That((OnPassiveEvent(), Pool.HealthOf(backend)), Is.EqualTo((1, HealthState.Down)));
    }

    private static RoutingSnapshot Build(PoolSettings pool, RoutingSnapshot? previous) => RoutingSnapshot.Build(
        new(
            new BalancerConfig
            {
                Listeners = [new ListenerSettings { Name = "l", Bind = [SetupScene.At("127.0.0.1:80")], Pool = pool.Name }],
                Pools = [pool],
            },
            100_000),
        previous);

    public int IndexOf(Core.Accounting.BackendState backend) => Snapshot.Pools[0].Backends.Select(b => b.State).ToList().IndexOf(backend);

    /// <summary>Where each of so many connections goes; -1: nowhere. They all come before the first leaves.</summary>
    public int[] Homes(int count, bool leave = true)
    {
        Visitor[] visitors = [.. Enumerable.Range(0, count).Select(i => Accept((ushort)(1000 + i)))];
        int[] homes = [.. visitors.Select(v => v.Backend)];
        foreach (Visitor visitor in visitors.Where(v => leave && v.Backend >= 0))
        {
            visitor.Leave();
        }

        return homes;
    }

    /// <summary>One connection that is being set up.</summary>
    internal sealed class Visitor
    {
        private readonly PassiveScene _scene;
        private ConnectionSetup _setup;
        private ConnectionRecord _record;

        public Visitor(PassiveScene scene, ushort port)
        {
            _scene = scene;
            var tuple = new FourTuple(new Endpoint(HostAddress.FromV4(0xC633_6401), port), SetupScene.At("127.0.0.1:80"));
            Step = _setup.Accepted(ref _record, scene.Snapshot, scene.Snapshot.Listeners[0], tuple, scene.Now);
        }

        public SetupStep Step { get; private set; }

        /// <summary>Where it is being connected to; -1: nowhere.</summary>
        public int Backend => Step.Action == SetupAction.Connect ? _scene.IndexOf(_record.Backend!) : -1;

        public void Succeed()
        {
            Step = _setup.Connected(ref _record, SetupScene.At("127.0.0.1:5000"), _scene.Now);
            _record.Close(_scene.Snapshot.State, CloseReason.ClientClosed, false, _scene.Now);
        }

        public void Fail(ConnectFailure failure) => Step = _setup.ConnectFailed(ref _record, failure, _scene.Now);

        public void Leave() => Step = _setup.Abandon(ref _record, CloseReason.ClientReset, _scene.Now);
    }
}
