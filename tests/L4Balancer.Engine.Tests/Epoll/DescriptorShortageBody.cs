using System.Net.Sockets;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>
/// Runs under a small RLIMIT_NOFILE: every descriptor is taken, a client waits, and the process stays quiet until some are free. Established
/// connections are served meanwhile, and no backend is blamed.
/// </summary>
internal static class DescriptorShortageBody
{
    private const int Established = 20;

    public static async Task RunAsync()
    {
        using TestBackend backend = TestBackend.Listening();
        backend.ServeEcho();
        await using var engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new RecordedConnections(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 2,
        });
        RoutingSnapshot snapshot = RoutingSnapshot.Build(
            new(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")), 1000));
        Assert.That(engine.Start(snapshot), Is.Empty);

        List<Peer> established = [];
        for (int i = 0; i < Established; i++)
        {
            established.Add(await Peer.ConnectAsync(engine.Bound[0]));
            await AskAsync(established[i]);
        }

        // First with descriptors to spare, so that everything is loaded that opens files.
        await WaitForOneAsync(engine, snapshot, established, static () => []);
        await HaveThreadsAsync();
        await WaitForOneAsync(engine, snapshot, established, TakeAll);
        established.ForEach(p => p.Dispose());
    }

    // The runtime ends the process ("Out of memory") if its pool wants one more thread while there is no descriptor: it has enough of them before.
    private static async Task HaveThreadsAsync()
    {
        const int Threads = 16;
        ThreadPool.SetMinThreads(Threads, Threads);
        using var all = new Barrier(Threads);
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Run(() => all.SignalAndWait(Patience.Limit))));
    }

    private static async Task WaitForOneAsync(EpollEngine engine, RoutingSnapshot snapshot, List<Peer> established, Func<List<Socket>> take)
    {
        await EchoAsync(engine);
        await Patience.UntilStill(() => EngineSocket.CountDescriptors(), TimeSpan.FromMilliseconds(200));
        long before = snapshot.Listeners[0].State.Accepted;
        using var waiting = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        List<Socket> taken = take();
        await waiting.ConnectAsync(engine.Bound[0].ToIPEndPoint()).WaitAsync(Patience.Limit);
        Task<int> answer = waiting.ReceiveAsync(new byte[1]);
        TimeSpan start = Environment.CpuUsage.TotalTime;
        using (var second = new PeriodicTimer(TimeSpan.FromSeconds(1)))
        {
            // Not by Patience, which looks five hundred times in that second.
            await Task.WhenAny(answer, second.WaitForNextTickAsync().AsTask());
        }

        TimeSpan busy = Environment.CpuUsage.TotalTime - start;
        foreach (Peer peer in established)
        {
            await AskAsync(peer);
        }

        long accepted = snapshot.Listeners[0].State.Accepted - before;
        bool nothingLeft = taken.Count > 0;
        taken.ForEach(s => s.Dispose());

        Assert.That(accepted, Is.EqualTo(nothingLeft ? 0 : 1), "there was a descriptor for it, or none");

        Assert.That(snapshot.Pools[0].Backends[0].State.ConnectFailures.Total, Is.Zero, "no backend is blamed");

        // A second of spinning is 1.1 s in a process of its own; that of a fresh process that compiles itself meanwhile, 0.1 s.
        Assert.That(busy, Is.LessThan(TimeSpan.FromMilliseconds(300)), "nothing spins");
        await waiting.SendAsync("x"u8.ToArray()).WaitAsync(Patience.Limit);
        Assert.That(await answer.WaitAsync(Patience.Limit), Is.EqualTo(1));
        await EchoAsync(engine);
    }

    private static List<Socket> TakeAll()
    {
        List<Socket> taken = [];
        try
        {
            while (true)
            {
                taken.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.TooManyOpenSockets)
        {
            return taken;
        }
    }

    private static async Task EchoAsync(EpollEngine engine)
    {
        using Peer client = await Peer.ConnectAsync(engine.Bound[0]);
        await AskAsync(client);
    }

    private static async Task AskAsync(Peer client)
    {
        await client.SendAsync("x"u8.ToArray());
        await client.ReceiveAsync(1);
    }
}
