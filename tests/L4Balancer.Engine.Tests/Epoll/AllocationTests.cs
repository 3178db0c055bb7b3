using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Ledger;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Once it is warm, the event loop allocates nothing: a collection never has a reason to stop it.</summary>
[NonParallelizable]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AllocationTests : IAsyncDisposable
{
    private const int Threads = 4;

    private readonly TestBackend _backend = TestBackend.Listening();
    private readonly EpollEngine _engine;
    private readonly LedgerSample? _ledger = OperatingSystem.IsLinux() ? new(new LedgerShape(Workers: 1, Slots: 1000, Pipes: 256)) : null;

    public AllocationTests()
    {
        _backend.ServeEcho();
        _engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new NoRecords(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 1,
            Ledger = _ledger?.Ledger,
        });
        Assert.That(
            _engine.Start(RoutingSnapshot.Build(new(Settings.Config(Settings.Pool(_backend), Settings.Listener("127.0.0.1:0")), 10_000))), Is.Empty);
    }

    public async ValueTask DisposeAsync()
    {
        await _engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
        await _engine.DisposeAsync().AsTask().Soon();
        _ledger?.Dispose();
        _backend.Dispose();
    }

    [Test]
    public async Task A_hundred_thousand_messages_allocate_nothing()
    {
        OpenAtOnce(2 * Threads);
        RunEach(() => Talk(500));
        long before = await AllocatedAsync();
        RunEach(() => Talk(100_000 / Threads));

        Assert.That(await AllocatedAsync() - before, Is.Zero);
    }

    [Test]
    public async Task Two_thousand_connections_opened_and_closed_allocate_nothing()
    {
        OpenAtOnce(64);
        RunEach(() => ComeAndGo(250));
        long before = await AllocatedAsync();
        RunEach(() => ComeAndGo(2000 / Threads));

        Assert.That(await AllocatedAsync() - before, Is.Zero);
    }

    [Test]
    public async Task Bulk_to_slow_readers_allocates_nothing()
    {
        OpenAtOnce(2 * Threads);
        RunEach(() => Stream(8));
        long before = await AllocatedAsync();
        RunEach(() => Stream(32));

        Assert.That(await AllocatedAsync() - before, Is.Zero);
    }

    /// <summary>By the worker's own thread. It only leaves the number behind: to wake who asks would allocate.</summary>
    private async Task<long> AllocatedAsync()
    {
        await Patience.Until(() => _engine.Count == 0, "all connections are over");
        long[] answer = [-1];
        _engine.Workers[0].Mailbox.TryPost(_ => Volatile.Write(ref answer[0], GC.GetAllocatedBytesForCurrentThread()));
        await Patience.Until(() => Volatile.Read(ref answer[0]) >= 0, "the worker has answered");
        return answer[0];
    }

    private static void RunEach(Action work)
    {
        Task[] tasks = [.. Enumerable.Range(0, Threads).Select(_ => Task.Factory.StartNew(work, TaskCreationOptions.LongRunning))];
        Assert.That(Task.WaitAll(tasks, TimeSpan.FromSeconds(120)), Is.True);
    }

    private Socket Connect()
    {
        Endpoint to = _engine.Bound[0];
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 15_000 };
        socket.Connect(to.ToIPEndPoint());
        return socket;
    }

    private void Talk(int messages)
    {
        using Socket socket = Connect();
        byte[] message = new byte[128];
        for (int i = 0; i < messages; i++)
        {
            Echo(socket, message);
        }
    }

    private void ComeAndGo(int times)
    {
        byte[] message = new byte[128];
        for (int i = 0; i < times; i++)
        {
            using Socket socket = Connect();
            Echo(socket, message);
        }
    }

    /// <summary>
    /// More than there will be later: what is kept for each grows to its size now. The worker waits meanwhile, so that it sets all of them up
    /// at the same time.
    /// </summary>
    private void OpenAtOnce(int count)
    {
        using var all = new ManualResetEventSlim();
        _engine.Workers[0].Mailbox.TryPost(_ => all.Wait(TimeSpan.FromSeconds(15)));
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ => Connect())];
        all.Set();
        foreach (Socket socket in sockets)
        {
            Echo(socket, new byte[1]);
        }

        Array.ForEach(sockets, s => s.Dispose());
    }

    private void Stream(int megabytes)
    {
        using Socket socket = Connect();
        byte[] block = new byte[256 * 1024];
        for (int i = 0; i < megabytes * 4; i++)
        {
            Echo(socket, block);
        }
    }

    private static void Echo(Socket socket, byte[] message)
    {
        Assert.That(socket.Send(message), Is.EqualTo(message.Length));
        for (int received = 0; received < message.Length;)
        {
            int count = socket.Receive(message, received, message.Length - received, SocketFlags.None);
            Assert.That(count, Is.GreaterThan(0));
            received += count;
        }
    }

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
