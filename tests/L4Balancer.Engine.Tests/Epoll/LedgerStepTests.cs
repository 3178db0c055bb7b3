using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>After each step of a connection the file says what docs/ledger.md says of it.</summary>
[SupportedOSPlatform("linux")]
internal sealed class LedgerStepTests() : EpollFixture(workers: 1)
{
    private DirectoryInfo? _folder;

    [TearDown]
    public void RemoveFolder() => _folder?.Delete(recursive: true);

    [Test]
    public async Task Connection_is_noted_when_it_is_established_and_gone_when_it_is_over()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        Assert.That(ReadLedger().Connections, Is.Empty);
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        LedgerConnection read = await OnlyAsync(c => c.IsClean);
        ConnectionRecord record = rig.List().Single();
        LedgerEntry entry = read.Entry;
        using (Assert.EnterMultipleScope())
        {
            Assert.That((read.Listener, read.Backend), Is.EqualTo(("listener", new LedgerBackendName("pool", "b0"))));
            Assert.That((read.ToBackend, read.ToClient), Is.EqualTo(((LedgerPipeEnds?)null, (LedgerPipeEnds?)null)));
            Assert.That((entry.Id, entry.AcceptedAt), Is.EqualTo((record.Id, record.AcceptedAt.Ticks)));
            Assert.That((entry.SourcePort, entry.DestinationPort, entry.LocalPort), Is.EqualTo((client.Local.Port, rig.Address.Port, server.Remote.Port)));
            Assert.That(entry.ClientCookie, Is.EqualTo(SocketCookie.Of(EngineSocket.Find(rig.Address, client.Local).Descriptor)));
            Assert.That(entry.BackendCookie, Is.EqualTo(SocketCookie.Of(EngineSocket.Find(server.Remote, server.Local).Descriptor)));
            Assert.That((entry.Ends, entry.Kinds, entry.StickyHigh, entry.StickyLow), Is.EqualTo((EntryEnds.None, EntryKinds.None, 0, 0)));
            Assert.That(ReadLedger().NextId, Is.GreaterThan(record.Id));
        }

        await client.SendAsync(new byte[10_000]);
        await server.ReceiveAsync(10_000);
        Assert.That((await OnlyAsync(c => c.IsClean)).Entry.Ends, Is.EqualTo(EntryEnds.None), "what has passed leaves nothing");
        await FinishAsync(client, server);
        await Patience.Until(() => ReadLedger().Connections.Count == 0, "its entry is free");
    }

    [Test]
    public async Task Half_closed_connection_has_the_end_that_was_passed_on([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer first, Peer second) = byClient ? (client, server) : (server, client);
        first.Finish();
        Assert.That((await second.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));

        EntryEnds expected = byClient ? EntryEnds.ClientFinished | EntryEnds.PassedToBackend : EntryEnds.BackendFinished | EntryEnds.PassedToClient;
        LedgerConnection read = await OnlyAsync(c => c.IsClean && c.Entry.Ends == expected);
        Assert.That(read.Entry.Ends, Is.EqualTo(expected));
        second.Finish();
        await rig.AtRestAsync();
    }

    [Test]
    public async Task Direction_is_dirty_as_long_as_bytes_are_held([Values] bool toBackend)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = toBackend ? (client, server) : (server, client);
        SystemFault.Installed = new FailingCalls(SystemCall.Send, Errno.EAGAIN);
        await from.SendAsync(new byte[1000]);
        LedgerDoubts dirty = toBackend ? LedgerDoubts.DirtyToBackend : LedgerDoubts.DirtyToClient;
        await OnlyAsync(c => c.Doubts == dirty);
        await AskAsync(rig, w => w.Buffers.InUse == 1);
        Assert.That((await OnlyAsync(c => c.Doubts == dirty)).Doubts, Is.EqualTo(dirty), "it stays so");

        SystemFault.Installed = null;
        await to.SendAsync("."u8.ToArray());
        await to.ReceiveAsync(1000);
        await OnlyAsync(c => c.IsClean);
    }

    [Test]
    public async Task Bytes_in_a_pipe_are_no_doubt_and_the_pipe_is_named([Values] bool toBackend)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = toBackend ? (client, server) : (server, client);
        SystemFault.Installed = new FailingCalls(SystemCall.SpliceOut, Errno.EAGAIN);
        Task<string> sending = from.SendPatternAsync(9, 64 * MiB);
        Task<Received> receiving = to.ReceiveAllAsync();
        LedgerConnection read = await OnlyAsync(c => c.IsClean && Pipe(c, toBackend) is not null && Unread(Pipe(c, toBackend)!) > 0);

        Assert.That(Pipe(read, !toBackend), Is.Null);
        LedgerPipeEnds pipe = Pipe(read, toBackend)!;
        Assert.That(ReadLedger().Pipes, Does.Contain(pipe));
        Assert.That(pipe.Inode, Is.EqualTo(SocketCookie.OfPipe(pipe.ReadEnd)).And.Not.Zero);
        SystemFault.Installed = null;
        await to.SendAsync("."u8.ToArray());
        string sent = await sending;
        from.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(64 * MiB, sent, StreamEnd.Fin)));
        Assert.That(Pipe(await OnlyAsync(c => c.IsClean), toBackend), Is.Null, "the pipe is given back");
    }

    [Test]
    public async Task PROXY_header_that_is_not_written_yet_is_dirty_from_the_first_moment()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { SendProxy = SendProxy.V1 });
        SystemFault.Installed = new FailingCalls(SystemCall.Send, Errno.EAGAIN);
        Peer client = await ConnectAsync(rig);
        Peer server = Keep(await backend.AcceptAsync());
        await OnlyAsync(c => c.Doubts == LedgerDoubts.DirtyToBackend);

        SystemFault.Installed = null;
        await server.SendAsync("."u8.ToArray());
        await client.ReceiveAsync(1);
        await server.ReceiveAsync("PROXY "u8.Length);
        await OnlyAsync(c => c.IsClean);
    }

    [Test]
    public async Task Connection_that_is_being_closed_is_ending()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        await OpenAsync(rig, backend);
        Assert.That(rig.Engine.Close(rig.List().Single().Id, CloseReason.Admin), Is.True);
        Assert.That((await OnlyAsync(c => !c.IsClean)).Doubts, Is.EqualTo(LedgerDoubts.Ending));
    }

    [Test]
    public async Task Connection_that_one_side_has_reset_is_ending_while_the_other_takes_the_rest()
    {
        TestBackend backend = Backend(receiveBuffer: 4096);
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer _) = await OpenAsync(rig, backend);
        _ = client.SendPatternAsync(1, 64 * MiB).ContinueWith(static t => t.Exception, TaskScheduler.Default);
        await Patience.UntilStill(() => client.Sent, TimeSpan.FromMilliseconds(200));
        client.Reset();
        LedgerConnection read = await OnlyAsync(c => (c.Doubts & LedgerDoubts.Ending) != 0);
        Assert.That(SocketCookie.HasFailed(read.Entry.Client, finSent: false), Is.True, "and the kernel says so too");
        Assert.That(SocketCookie.HasFailed(read.Entry.Backend, finSent: false), Is.False);
    }

    [Test]
    public async Task Adopted_connection_is_in_the_ledger_of_its_new_engine_with_what_it_is()
    {
        _folder = Directory.CreateTempSubdirectory("l4b-");
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { Bind = [Endpoint.OfUnix(Path.Combine(_folder.FullName, "l"))] });
        Peer client = await ConnectAsync(rig);
        Peer server = Keep(await backend.AcceptAsync());
        await OnlyAsync(c => c.IsClean);
        server.Finish();
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        LedgerEntry before = (await OnlyAsync(c => c.Entry.Ends == (EntryEnds.BackendFinished | EntryEnds.PassedToClient))).Entry;

        // Two engines cannot listen on one path.
        rig.Publish(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")));
        await using IEngine second = NewEngine(rig.Records);
        Assert.That(second.Start(rig.Snapshot), Is.Empty);
        await HandOverAsync(rig.Engine, second);
        LedgerEntry after = (await OnlyAsync(c => c.IsClean, engine: 1)).Entry;
        Assert.That(ReadLedger().Connections, Is.Empty);
        Assert.That(Bytes(after with { Client = before.Client, Backend = before.Backend }), Is.EqualTo(Bytes(before)), "byte by byte");
        Assert.That(after.Kinds & EntryKinds.ClientIsUnix, Is.EqualTo(EntryKinds.ClientIsUnix));
        client.Finish();
        await server.ReceiveAllAsync();
        await Patience.Until(() => second.Count == 0, "it ends there");
    }

    [Test]
    public async Task Adopted_pipe_keeps_its_bytes_out_of_the_memory_of_the_process([Values] bool toBackend)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = toBackend ? (client, server) : (server, client);
        SystemFault.Installed = new FailingCalls(SystemCall.SpliceOut, Errno.EAGAIN);
        Task<string> sending = from.SendPatternAsync(9, 64 * MiB);
        Task<Received> receiving = to.ReceiveAllAsync();
        await OnlyAsync(c => Pipe(c, toBackend) is { } full && Unread(full) > 0);
        await Patience.UntilStill(() => from.Sent, TimeSpan.FromMilliseconds(100));
        LedgerPipeEnds before = Pipe(await OnlyAsync(_ => true), toBackend)!;
        int held = Unread(before);

        await using IEngine second = NewEngine(rig.Records);
        Assert.That(second.Start(rig.Snapshot), Is.Empty);
        await HandOverAsync(rig.Engine, second);
        LedgerPipeEnds after = Pipe(await OnlyAsync(c => c.IsClean, engine: 1), toBackend)!;
        Assert.That((after.Inode, after.Capacity, Unread(after)), Is.EqualTo((before.Inode, before.Capacity, held)));

        SystemFault.Installed = null;
        await to.SendAsync("."u8.ToArray());
        string sent = await sending;
        from.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(64 * MiB, sent, StreamEnd.Fin)));
        to.Finish();
        await Patience.Until(() => second.Count == 0, "it ends there");
    }

    [Test]
    public async Task Frozen_connection_stays_in_the_ledger_until_it_is_committed()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await using (FrozenSlice thawed = (await rig.Engine.FreezeAsync(1, CancellationToken.None).Soon())!)
        {
            Assert.That((await OnlyAsync(_ => true)).IsClean, Is.True);
        }

        await client.SendAsync(new byte[1000]);
        await server.ReceiveAsync(1000);
        Assert.That((await OnlyAsync(c => c.IsClean)).IsClean, Is.True, "and after it has thawed");
        await using IEngine second = NewEngine(rig.Records);
        Assert.That(second.Start(rig.Snapshot), Is.Empty);
        await HandOverAsync(rig.Engine, second);
        Assert.That(ReadLedger().Connections, Is.Empty);
        await FinishAsync(client, server);
        await rig.AtRestAsync();
    }

    private static async Task HandOverAsync(IEngine from, IEngine to)
    {
        await using FrozenSlice slice = (await from.FreezeAsync(126, CancellationToken.None).Soon())!;
        ExportedConnection[] copies = [.. slice.Connections.Select(Duplicates.Of)];
        await slice.CommitAsync(copies.Select(c => c.Record.Id).ToHashSet()).Soon();
        Assert.That(await to.AdoptAsync(copies).Soon(), Is.Empty);
    }

    private static LedgerPipeEnds? Pipe(LedgerConnection connection, bool toBackend) => toBackend ? connection.ToBackend : connection.ToClient;

    private static byte[] Bytes(LedgerEntry entry) => MemoryMarshal.AsBytes(new ReadOnlySpan<LedgerEntry>(in entry)).ToArray();

    private static int Unread(LedgerPipeEnds pipe) => new KernelPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity).Unread;

    private async Task<LedgerConnection> OnlyAsync(Func<LedgerConnection, bool> condition, int engine = 0)
    {
        LedgerConnection? found = null;
        await Patience.Until(
            () => (found = ReadLedger(engine).Connections.SingleOrDefault()) is not null && condition(found),
            $"the only entry is as it should be, last: {found?.Doubts} {found?.Entry.Ends}");
        return found!;
    }
}
