using System.Collections.Concurrent;
using System.Runtime.Versioning;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Ledger;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>
/// The process may be killed between any two stores and system calls. At each of these points the file must not call a connection clean that has
/// bytes in the memory of the process, by what the kernel says of its sockets.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class LedgerKillPointTests() : EpollFixture(workers: 1)
{
    private static readonly LedgerShape Shape = new(Workers: 1, Slots: 32, Pipes: 4, Names: 16, Overrides: 1, Listening: 4);

    private readonly LedgerWriter _writer = LedgerWriter.Current();
    private readonly KernelBooks _books = new();
    private readonly ConcurrentQueue<string> _faults = new();
    private SharedFile? _file;
    private LedgerReading? _before;
    private SystemFault? _fault;
    private Action<LedgerReading>? _look;
    private int _clean;
    private int _inMemory;

    [SetUp]
    public void Stores_can_be_watched()
    {
#if !DEBUG
        Assert.Ignore("Stores are only watched in a debug build.");
#endif
    }

    [TearDown]
    public void CloseFile()
    {
        SystemFault.Installed = null;
        _file?.Dispose();
    }

    [Test]
    public async Task Small_messages_both_ways()
    {
        (Rig rig, Peer client, Peer server) = await OpenWatchedAsync();
        for (int i = 1; i <= 20; i++)
        {
            await client.SendAsync(new byte[i * 100]);
            await server.ReceiveAsync(i * 100);
            await server.SendAsync(new byte[i * 300]);
            await client.ReceiveAsync(i * 300);
        }

        await FinishAsync(client, server);
        await AssertAsync(rig);
    }

    [Test]
    public async Task Slow_receivers_whose_bytes_are_held([Values] bool toBackend)
    {
        (Rig rig, Peer client, Peer server) = await OpenWatchedAsync();
        (Peer from, Peer to) = toBackend ? (client, server) : (server, client);
        for (int i = 0; i < 10; i++)
        {
            _fault = new FailingCalls(SystemCall.Send, Errno.EAGAIN, times: 1);
            await from.SendAsync(new byte[5000]);
            await PassAsync(rig);
            await to.SendAsync(new byte[200]);
            await to.ReceiveAsync(5000);
            await from.ReceiveAsync(200);
        }

        await FinishAsync(client, server);
        await AssertAsync(rig);
    }

    [Test]
    public async Task Bulk_that_is_copied_and_spliced_to_receivers_that_pause([Values] bool toBackend)
    {
        (Rig rig, Peer client, Peer server) = await OpenWatchedAsync();
        (Peer from, Peer to) = toBackend ? (client, server) : (server, client);
        for (int round = 0; round < 3; round++)
        {
            int length = 12 * (int)MiB;
            Task sending = from.SendPatternAsync(round, length);
            await Patience.UntilStill(() => from.Sent, TimeSpan.FromMilliseconds(50));
            byte[] block = new byte[length];
            await to.ReceiveAsync(block);
            await sending;
            await to.SendAsync(new byte[150]);
            await from.ReceiveAsync(150);
        }

        await FinishAsync(client, server);
        await AssertAsync(rig);
    }

    [Test]
    public async Task Bytes_that_are_looked_at_where_no_memory_is_left_to_hold_them()
    {
        (Rig rig, Peer client, Peer server) = await OpenWatchedAsync(new HeldMemory(0));
        for (int i = 1; i <= 20; i++)
        {
            await client.SendAsync(new byte[i * 1000]);
            await server.ReceiveAsync(i * 1000);
            await server.SendAsync(new byte[i * 1000]);
            await client.ReceiveAsync(i * 1000);
        }

        await FinishAsync(client, server);
        await AssertAsync(rig);
    }

    [Test]
    public async Task Ends_of_every_kind_while_bytes_are_on_the_way([Values] bool byClient, [Values("fin", "reset", "close")] string end)
    {
        (Rig rig, Peer client, Peer server) = await OpenWatchedAsync();
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        _fault = new FailingCalls(SystemCall.Send, Errno.EAGAIN, times: 1);
        await from.SendAsync(new byte[3000]);
        await PassAsync(rig);
        switch (end)
        {
            case "fin":
                from.Finish();
                break;
            case "reset":
                from.Reset();
                break;
            default:
                rig.Engine.Close(rig.List().Single().Id, CloseReason.Admin);
                break;
        }

        await PassAsync(rig);

        // Whatever comes from it says that it can be written again. It may be reset by then.
        _ = await Task.WhenAny(to.SendAsync(new byte[200]));
        await to.ReceiveAllAsync();
        if (end != "reset")
        {
            to.Finish();
            await from.ReceiveAllAsync();
            from.Dispose();
        }

        await AssertAsync(rig);
    }

    [Test]
    public async Task PROXY_header_that_is_not_written_makes_its_entry_dirty_before_it_lives()
    {
        _fault = new FailingCalls(SystemCall.Send, Errno.EAGAIN, times: 1);
        LedgerDoubts? first = null;
        (Rig rig, Peer client, Peer server) = await OpenWatchedAsync(proxy: SendProxy.V1, look: read => first ??= read.Connections.SingleOrDefault()?.Doubts);
        await server.SendAsync(new byte[200]);
        await client.ReceiveAsync(200);
        await server.ReceiveAsync(20);
        client.Dispose();
        server.Dispose();
        await rig.AtRestAsync();
        Assert.That(first, Is.EqualTo(LedgerDoubts.DirtyToBackend));
    }

    [Test]
    public async Task Thawed_connection_without_bytes_is_not_in_doubt_for_a_moment()
    {
        bool isThawing = false;
        LedgerDoubts doubts = LedgerDoubts.None;
        (Rig rig, Peer client, Peer server) = await OpenWatchedAsync(
            look: read => doubts |= isThawing ? read.Connections.Single().Doubts : LedgerDoubts.None);
        await PassAsync(rig);
        FrozenSlice slice = (await rig.Engine.FreezeAsync(1, CancellationToken.None))!;
        isThawing = true;
        await slice.ThawAsync();
        await PassAsync(rig);
        isThawing = false;
        Assert.That(doubts, Is.EqualTo(LedgerDoubts.None));

        await client.SendAsync(new byte[200]);
        await server.ReceiveAsync(200);
        client.Dispose();
        server.Dispose();
        await rig.AtRestAsync();
        Assert.That(_faults, Is.Empty);
    }

    private async Task<(Rig Rig, Peer Client, Peer Server)> OpenWatchedAsync(
        HeldMemory? held = null, SendProxy proxy = SendProxy.None, Action<LedgerReading>? look = null)
    {
        _look = look;
        LedgerSample ledger = NewLedger(Shape);
        _file = SharedFile.OpenExisting(ledger.Path, out _)!;
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Config(Settings.Pool(backend) with { SendProxy = proxy }, Settings.Listener("127.0.0.1:0")), held: held, workers: 1, ledger: ledger.Ledger);
        ledger.Ledger.AfterStore = Look;
        SystemFault.Installed = new LookingFault(this);
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        return (rig, client, server);
    }

    /// <summary>Until the worker has gone round twice: what had arrived is read.</summary>
    private static async Task PassAsync(Rig rig)
    {
        await AskAsync(rig, static _ => true);
        await AskAsync(rig, static _ => true);
    }

    private async Task AssertAsync(Rig rig)
    {
        await rig.AtRestAsync();
        SystemFault.Installed = null;
        TestContext.Out.WriteLine($"clean {_clean} times, with bytes in memory {_inMemory} times");
        Assert.That(_faults, Is.Empty);
        Assert.That((_clean > 1, _inMemory > 1), Is.EqualTo((true, true)), "both were seen");
    }

    // On the worker's thread. The kernel's side has not changed since the call before: so it must agree with the file before the store, too.
    private void Look()
    {
        try
        {
            LedgerReading read = Read();
            _look?.Invoke(read);
            foreach (LedgerReading? reading in new[] { _before, read })
            {
                foreach (LedgerConnection connection in reading?.Connections ?? [])
                {
                    Check(connection, isNow: reading == read);
                }
            }

            _before = read;
        }
        catch (Exception e)
        {
            _faults.Enqueue(e.ToString());
        }
    }

    private void Check(LedgerConnection connection, bool isNow)
    {
        if (SocketCookie.Of(connection.Entry.Client) != connection.Entry.ClientCookie
            || SocketCookie.Of(connection.Entry.Backend) != connection.Entry.BackendCookie)
        {
            // Closed since, or used again.
            if (isNow)
            {
                _faults.Enqueue("an entry whose socket is closed");
            }

            return;
        }

        if (_books.InMemory(connection) is not { } bytes)
        {
            return;
        }

        // A FIN counts as one byte, on either side.
        bool isInMemory = Math.Abs(bytes.ToBackend) > 1 || Math.Abs(bytes.ToClient) > 1;
        _inMemory += isInMemory ? 1 : 0;
        _clean += connection.IsClean ? 1 : 0;
        if (isInMemory && connection.IsClean)
        {
            _faults.Enqueue($"clean, but {bytes} bytes are in memory; ends {connection.Entry.Ends}");
        }
    }

    private unsafe LedgerReading Read() => LedgerReader.Read(new ReadOnlySpan<byte>(_file!.Start, (int)_file.Length).ToArray(), _writer);

    private sealed class LookingFault(LedgerKillPointTests test) : SystemFault
    {
        public override Errno Before(SystemCall call, int descriptor)
        {
            if (Thread.CurrentThread.Name is { } name && name.StartsWith(ThreadNames.Worker, StringComparison.Ordinal))
            {
                test.Look();
            }

            return test._fault?.Before(call, descriptor) ?? Errno.None;
        }
    }
}
