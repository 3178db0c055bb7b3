using System.Globalization;
using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;
using L4Balancer.Bench.Reports;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Ledger;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Bench.Load;

/// <summary>
/// <c>ledger</c>: what it costs an event loop to note its connections. Two engines of this process, one with a ledger and one without, get bursts in
/// turn; the CPU time of their threads per unit is compared pair by pair.
/// </summary>
internal sealed class LedgerCost : IDisposable
{
    private const ushort PeerBase = 7000;

    private readonly string _folder = Directory.CreateDirectory($"/dev/shm/l4b-bench-{Environment.ProcessId}").FullName;
    private readonly PeerProcess _peers;
    private readonly ConnectionLedger _ledger;
    private readonly (EpollEngine Engine, Target Target) _without;
    private readonly (EpollEngine Engine, Target Target) _with;

    private LedgerCost(Processors processors)
    {
        _peers = PeerProcess.Start(PeerBase, processors);
        _ledger = ConnectionLedger.TryCreate(
            Path.Combine(_folder, "ledger"), LedgerShape.For(1, 100_000, 256), LedgerWriter.Current(), generation: 1, nextId: 1, out string? fault)
            ?? throw new InvalidOperationException(fault);
        _without = Start(7100, ledger: null);
        _with = Start(7200, _ledger);
    }

    public static int Run(RunOptions options)
    {
        MachineFacts.Read().Print();
        Processors processors = Processors.Choose();
        using var cost = new LedgerCost(processors);
        processors.PinClient();
        var table = new TextTable("CPU of the event loop, with a ledger / without", "median", "range", "us without");
        bool all = true;
        foreach ((string name, Func<Target, BurstLimit, BurstResult> burst) in Rows().Where(r => options.Includes(r.Name)))
        {
            var ratios = new List<double>();
            var plain = new List<double>();
            for (int round = -1; round < options.Rounds; round++)
            {
                var limit = new BurstLimit(options.Burst, int.MaxValue);

                // Whichever comes second finds the machine as the first has left it, so they take turns.
                bool isFirst = round % 2 == 0;
                BurstResult first = burst((isFirst ? cost._with : cost._without).Target, limit);
                BurstResult second = burst((isFirst ? cost._without : cost._with).Target, limit);
                (BurstResult with, BurstResult without) = isFirst ? (first, second) : (second, first);
                all &= with.Fault is null && without.Fault is null;
                if (round >= 0)
                {
                    ratios.Add(with.NanosecondsPerUnit / without.NanosecondsPerUnit);
                    plain.Add(without.NanosecondsPerUnit / 1000);
                }
            }

            var spread = Spread.Of(ratios);
            table.Add(name, Text(spread.Median), spread.Range("0.000"), Spread.Of(plain).Median.ToString("0.0", CultureInfo.InvariantCulture));
        }

        table.Print();
        Console.WriteLine($"  without an entry: {cost._ledger.Unwritten}");
        return all ? 0 : 1;
    }

    public void Dispose()
    {
        _without.Engine.DisposeAsync().AsTask().Wait();
        _with.Engine.DisposeAsync().AsTask().Wait();
        _ledger.Dispose();
        _peers.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static IEnumerable<(string Name, Func<Target, BurstLimit, BurstResult> Burst)> Rows() =>
    [
        ("connect, ask, close", (target, limit) => Requests.Run(target, 16, limit)),
        ("ping-pong, 1 conn", (target, limit) => PingPong.Run(target, 1, limit)),
        ("ping-pong, 64 conn", (target, limit) => PingPong.Run(target, 64, limit)),
        ("ping-pong, 1000 conn", (target, limit) => PingPong.Run(target, 1000, limit)),
    ];

    private (EpollEngine Engine, Target Target) Start(ushort port, ConnectionLedger? ledger)
    {
        var wiring = new Wiring(port, PeerBase, Duty.Relay);
        var engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new NoRecords(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 1,
            Ledger = ledger,
        });
        engine.Start(RoutingSnapshot.Build(new(Config(wiring), MaxConnections: 100_000)));
        return (engine, new Target(wiring.Listen, () => (long)engine.LoopStatistics()[0].CpuTime.TotalNanoseconds, _peers));
    }

    private static BalancerConfig Config(Wiring wiring) => new()
    {
        Balancer = new BalancerSettings(),
        Listeners = [new ListenerSettings { Name = "echo", Bind = [wiring.Listen(PeerRole.Echo)], Pool = "echo" }],
        Pools =
        [
            new PoolSettings
            {
                Name = "echo",
                Health = new HealthSettings { Type = HealthType.None },
                Backends = [.. wiring.Backends(PeerRole.Echo).Select(e => new BackendSettings { Name = $"{e.Address}", Address = $"{e}", Endpoint = e })],
            },
        ],
    };

    private static string Text(double ratio) => ratio.ToString("0.000", CultureInfo.InvariantCulture);

    private sealed class NoRecords : IRecordSink
    {
        public void Established(in ConnectionRecord record)
        {
        }

        public void Ended(in ConnectionRecord record)
        {
        }
    }
}
