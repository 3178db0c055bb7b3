using System.Collections.Immutable;
using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Bench.Load;

/// <summary>
/// Managed bytes that an event-loop thread of the epoll engine allocates, by the runtime's own count for that thread
/// (GC.GetAllocatedBytesForCurrentThread). The engine runs in this process, so that it can be asked on its thread.
/// </summary>
internal sealed class EventLoopAllocations : IDisposable
{
    public const int Messages = 1_000_000;
    public const int Connections = 10_000;

    private const int MessagesAtOnce = 64;

    private readonly PeerProcess _peers;
    private readonly EpollEngine _engine;
    private readonly Target _target;

    private EventLoopAllocations(PeerProcess peers, Wiring wiring)
    {
        _peers = peers;
        _engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new NoRecords(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 1,
        });
        _engine.Start(RoutingSnapshot.Build(new(Config(wiring), MaxConnections: 100_000)));
        _target = new Target(wiring.Listen, static () => 0, peers);
    }

    /// <summary>Runs both workloads once to warm up, then counts.</summary>
    public static AllocationResult Measure(Processors processors)
    {
        const ushort peerBase = 7000;
        using var allocations = new EventLoopAllocations(
            PeerProcess.Start(peerBase, processors), new Wiring(7100, peerBase, Duty.Relay));
        BurstResult messages = allocations.RunMessages(Messages / 20);
        BurstResult connections = allocations.RunConnections(Connections / 5);
        long start = allocations.AllocatedBytes();
        messages = allocations.RunMessages(Messages);
        long afterMessages = allocations.AllocatedBytes();
        connections = allocations.RunConnections(Connections);
        long end = allocations.AllocatedBytes();
        return new AllocationResult(
            messages.Units, afterMessages - start, connections.Units, end - afterMessages, messages.Fault ?? connections.Fault);
    }

    public void Dispose()
    {
        _engine.DisposeAsync().AsTask().Wait();
        _peers.Dispose();
    }

    private BurstResult RunMessages(int count) =>
        PingPong.Run(_target, MessagesAtOnce, new BurstLimit(TimeSpan.FromMinutes(2), count));

    private BurstResult RunConnections(int count) =>
        Requests.Run(_target, MessagesAtOnce, new BurstLimit(TimeSpan.FromMinutes(2), count));

    private long AllocatedBytes()
    {
        var answer = new TaskCompletionSource<long>();
        _engine.Workers[0].Mailbox.TryPost(_ => answer.SetResult(GC.GetAllocatedBytesForCurrentThread()));
        return answer.Task.Result;
    }

    private static BalancerConfig Config(Wiring wiring) => new()
    {
        Balancer = new BalancerSettings(),
        Listeners =
        [
            new ListenerSettings { Name = "echo", Bind = [wiring.Listen(PeerRole.Echo)], Pool = "echo" },
        ],
        Pools =
        [
            new PoolSettings
            {
                Name = "echo",
                Health = new HealthSettings { Type = HealthType.None },
                Backends = [.. Backends(wiring)],
            },
        ],
    };

    private static IEnumerable<BackendSettings> Backends(Wiring wiring) =>
        wiring.Backends(PeerRole.Echo).Select(e => new BackendSettings { Name = $"{e.Address}", Address = $"{e}", Endpoint = e });

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
