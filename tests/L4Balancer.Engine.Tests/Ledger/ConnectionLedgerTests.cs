using System.Runtime.Versioning;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Ledger;

/// <summary>What is written into a ledger is what a process after this one reads.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[SupportedOSPlatform("linux")]
internal sealed class ConnectionLedgerTests : IDisposable
{
    private readonly LedgerSample _sample = new();
    private readonly RoutingSnapshot _snapshot = LedgerSample.Snapshot();

    public void Dispose() => _sample.Dispose();

    [Test]
    public void New_ledger_has_its_writer_and_nothing_else()
    {
        LedgerReading read = _sample.Read();

        Assert.That(read.Fault, Is.EqualTo(LedgerFault.None));
        Assert.That(read.Writer, Is.EqualTo(LedgerWriter.Current()));
        Assert.That(read.Writer.IsRunning(), Is.True);
        Assert.That((read.Generation, read.NextId, read.State), Is.EqualTo((1, 1, LedgerState.InUse)));
        Assert.That((read.Connections.Count, read.Listening.Count, read.Overrides.Count, read.Pipes.Count), Is.EqualTo((0, 0, 0, 0)));
    }

    [Test]
    public void File_is_the_owner_s_alone()
    {
        Assert.That(File.GetUnixFileMode(_sample.Path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That(File.Exists(_sample.Path + ".new"), Is.False);
    }

    [Test]
    public void Connection_is_read_as_it_was_written()
    {
        ConnectionRecord record = LedgerSample.Record(_snapshot);
        (int client, int backend) = _sample.Sockets();
        Assert.That(_sample.Ledger.Of(1).Begin(7, client, backend, record, LedgerSample.Start), Is.True);

        LedgerConnection read = _sample.Read().Connections.Single();
        Assert.That(read.Doubts, Is.EqualTo(LedgerDoubts.None));
        Assert.That((read.Listener, read.Backend), Is.EqualTo(("listener", new LedgerBackendName("pool", "b0"))));
        LedgerEntry entry = read.Entry;
        Assert.That((entry.Client, entry.Backend), Is.EqualTo((client, backend)));
        Assert.That((entry.ClientCookie, entry.BackendCookie), Is.EqualTo((SocketCookie.Of(client), SocketCookie.Of(backend))));
        Assert.That((entry.Id, entry.AcceptedAt, entry.QueueTime, entry.ConnectTime), Is.EqualTo((record.Id, TimeSpan.TicksPerSecond, 0, 2000)));
        Assert.That((entry.SourcePort, entry.DestinationPort, entry.LocalPort), Is.EqualTo((51234, 443, 40000)));
        Assert.That(((ReadOnlySpan<byte>)entry.Source)[12..].ToArray(), Is.EqualTo(new byte[] { 192, 0, 2, 7 }));
        Assert.That(((ReadOnlySpan<byte>)entry.Destination)[12..].ToArray(), Is.EqualTo(new byte[] { 198, 51, 100, 1 }));
        Assert.That((entry.Attempts, entry.Generation, entry.Route, entry.Kinds), Is.EqualTo((1, (uint)record.Generation, 0, EntryKinds.None)));
    }

    [Test]
    public void Connection_is_gone_when_it_has_ended_and_its_place_is_used_again()
    {
        WorkerLedger worker = _sample.Ledger.Of(0);
        Begin(worker, 3);
        worker.SetDirty(3, toBackend: true);
        worker.AddEnds(3, EntryEnds.ClientFinished);
        worker.End(3);
        Assert.That(_sample.Read().Connections, Is.Empty);

        Begin(worker, 3);
        LedgerConnection again = _sample.Read().Connections.Single();
        Assert.That((again.Doubts, again.Entry.Ends), Is.EqualTo((LedgerDoubts.None, EntryEnds.None)), "nothing is left of the one before");
    }

    [Test]
    public void Direction_is_in_doubt_while_its_bytes_are_in_memory([Values] bool toBackend)
    {
        WorkerLedger worker = _sample.Ledger.Of(0);
        Begin(worker, 0);
        worker.SetDirty(0, toBackend);
        Assert.That(_sample.Read().Connections.Single().Doubts, Is.EqualTo(toBackend ? LedgerDoubts.DirtyToBackend : LedgerDoubts.DirtyToClient));

        worker.SetClean(0, toBackend);
        Assert.That(_sample.Read().Connections.Single().IsClean);
    }

    [Test]
    public void Ends_are_noted_without_doubt_and_an_ending_is_one()
    {
        WorkerLedger worker = _sample.Ledger.Of(0);
        Begin(worker, 0);
        worker.AddEnds(0, EntryEnds.ClientFinished);
        worker.AddEnds(0, EntryEnds.PassedToBackend);
        LedgerConnection read = _sample.Read().Connections.Single();
        Assert.That((read.Doubts, read.Entry.Ends), Is.EqualTo((LedgerDoubts.None, EntryEnds.ClientFinished | EntryEnds.PassedToBackend)));

        worker.NoteEnding(0);
        Assert.That(_sample.Read().Connections.Single().Doubts, Is.EqualTo(LedgerDoubts.Ending));
        worker.End(0);
        worker.NoteEnding(0);
        Assert.That(_sample.Read().Connections, Is.Empty, "one that has ended does not come back");
    }

    [Test]
    public void Pipe_of_a_direction_is_read_with_its_ends()
    {
        WorkerLedger worker = _sample.Ledger.Of(1);
        Begin(worker, 0);
        KernelPipe pipe = _sample.Pipe();
        worker.AddPipe(2, pipe);
        worker.SetPipe(0, toBackend: false, 2);

        LedgerReading read = _sample.Read();
        var expected = new LedgerPipeEnds(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity, SocketCookie.OfPipe(pipe.WriteEnd));
        Assert.That(expected.Inode, Is.Not.Zero);
        Assert.That(read.Pipes, Is.EqualTo([expected]));
        Assert.That((read.Connections[0].Doubts, read.Connections[0].ToClient, read.Connections[0].ToBackend), Is.EqualTo((LedgerDoubts.None, expected, (LedgerPipeEnds?)null)));

        worker.RemovePipe(2);
        Assert.That(_sample.Read().Connections.Single().Doubts, Is.EqualTo(LedgerDoubts.Pipe), "a connection whose pipe is gone");
        worker.SetPipe(0, toBackend: false, -1);
        Assert.That(_sample.Read().Connections.Single().IsClean);
    }

    [Test]
    public void Listening_sockets_come_and_go()
    {
        int first = _sample.Socket();
        int second = _sample.Socket();
        Assert.That(_sample.Ledger.AddListening(first, "wss"));
        Assert.That(_sample.Ledger.AddListening(second, "ws"));
        _sample.Ledger.RemoveListening(first);
        Assert.That(_sample.Read().Listening, Is.EqualTo([new LedgerSocket(second, SocketCookie.Of(second), "ws")]));

        int third = _sample.Socket();
        Assert.That(_sample.Ledger.AddListening(third, "wss"));
        Assert.That(_sample.Read().Listening.Select(l => (l.Descriptor, l.Listener)), Is.EquivalentTo(new[] { (second, "ws"), (third, "wss") }));
        Assert.That(Enumerable.Range(0, 3).Select(_ => _sample.Ledger.AddListening(_sample.Socket(), "wss")), Is.EqualTo([true, true, false]), "four places");
    }

    [Test]
    public void Overrides_are_replaced_as_a_whole()
    {
        Assert.That(_sample.Ledger.SetOverrides([("pool", "b0", new(BackendMode.Draining, 7)), ("pool", "b1", new(BackendMode.Ready, 0))]));
        Assert.That(_sample.Ledger.SetOverrides([("pool", "b2", new(BackendMode.Maintenance, null))]));
        Assert.That(_sample.Read().Overrides, Is.EqualTo([(new LedgerBackendName("pool", "b2"), new BackendOverride(BackendMode.Maintenance, null))]));

        Assert.That(_sample.Ledger.SetOverrides(Enumerable.Range(0, 6).Select(i => ("pool", $"b{i}", new BackendOverride(BackendMode.Ready, i)))), Is.False);
        Assert.That(_sample.Read().Overrides.Select(o => o.Value.Weight), Is.EqualTo([0, 1, 2, 3]));
        Assert.That(_sample.Ledger.SetOverrides([]));
        Assert.That(_sample.Read().Overrides, Is.Empty);
    }

    [Test]
    public void Ids_are_reserved_ahead()
    {
        for (int i = 0; i < 3; i++)
        {
            Begin(_sample.Ledger.Of(0), i);
        }

        ulong last = _sample.Read().Connections.Max(c => c.Entry.Id);
        Assert.That(_sample.Read().NextId, Is.InRange(last + 1, last + 4096));
    }

    [Test]
    public void What_has_no_place_is_counted_and_not_written()
    {
        WorkerLedger worker = _sample.Ledger.Of(0);
        Begin(worker, LedgerSample.Small.Slots);
        worker.SetDirty(LedgerSample.Small.Slots, toBackend: true);
        worker.End(LedgerSample.Small.Slots);
        worker.AddPipe(LedgerSample.Small.Pipes, default);
        Assert.That(_sample.Ledger.Unwritten, Is.EqualTo(1));

        Begin(worker, LedgerSample.Small.Slots - 1);
        Assert.That(_sample.Ledger.Unwritten, Is.EqualTo(1));
        Assert.That(_sample.Read().Connections, Has.Count.EqualTo(1));
        Assert.That(_sample.Ledger.NumberOfListener(new string('n', LedgerName.LongestText + 1)), Is.Zero);
    }

    [Test]
    public void Stop_in_good_order_leaves_no_file()
    {
        using SharedFile? open = SharedFile.OpenExisting(_sample.Path, out _);
        _sample.Ledger.End();
        Assert.That(File.Exists(_sample.Path), Is.False);
        Assert.That(LedgerSample.Read(open!).State, Is.EqualTo(LedgerState.Ended));
    }

    [Test]
    public void Ledger_before_stays_until_the_next_is_published()
    {
        Begin(_sample.Ledger.Of(0), 0);
        using ConnectionLedger? next = ConnectionLedger.TryCreate(_sample.Path, LedgerSample.Small, LedgerWriter.Current(), 2, 100, out _);
        Assert.That(_sample.Read().Connections, Has.Count.EqualTo(1));
        Assert.That(next!.Publish(), Is.Null);
        Assert.That((_sample.Read().Generation, _sample.Read().NextId, _sample.Read().Connections.Count), Is.EqualTo((2, 100, 0)));
    }

    [Test]
    public void Links_and_files_that_others_may_read_are_refused()
    {
        string link = _sample.Path + ".link";
        File.CreateSymbolicLink(link, _sample.Path);
        Assert.That(SharedFile.OpenExisting(link, out Errno error), Is.Null);
        Assert.That((int)error, Is.EqualTo(40), "ELOOP");
        Assert.That(SharedFile.Create(link, 4096, out error), Is.Null, "nothing is written through a link");

        File.SetUnixFileMode(_sample.Path, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.That(SharedFile.OpenExisting(_sample.Path, out error), Is.Null);
        Assert.That(error, Is.EqualTo(Errno.EACCES));
    }

    [Test]
    public void Folder_that_is_missing_is_a_fault_in_words()
    {
        Assert.That(ConnectionLedger.TryCreate("/nowhere/ledger", LedgerSample.Small, LedgerWriter.Current(), 1, 1, out string? fault), Is.Null);
        Assert.That(fault, Is.EqualTo("/nowhere/ledger.new: ENOENT"));
    }

    [Test]
    public void Names_that_nothing_refers_to_are_swept_and_all_others_keep_their_numbers()
    {
        ConnectionLedger ledger = _sample.Ledger;
        Begin(ledger.Of(0), 0);
        int used = ledger.NumberOfBackend("pool", "b0");
        Assert.That(ledger.SetOverrides([("drained", "b1", new(BackendMode.Draining, null))]));
        Assert.That(ledger.AddListening(_sample.Socket(), "listening"));
        int old = ledger.NumberOfBackend("old", "b2");
        int oldListener = ledger.NumberOfListener("old");
        Assert.That(ledger.NumberOfBackend("half", "gone"), Is.Positive);
        Assert.That(ledger.NumberOfBackend("half", "asked"), Is.Positive);
        int before = _sample.Read().NamesInUse;

        ledger.BeginSweep();
        int asked = ledger.NumberOfBackend("half", "asked");
        ledger.Of(0).ForgetNames();
        ledger.EndSweep();

        LedgerReading read = _sample.Read();
        Assert.That(read.NamesInUse, Is.EqualTo(before - 4), "the pool old and its backend, the listener old, and the backend gone");
        Assert.That((read.Connections.Single().Backend, read.Overrides.Single().Backend, read.Listening.Single().Listener),
            Is.EqualTo((new LedgerBackendName("pool", "b0"), new LedgerBackendName("drained", "b1"), "listening")));
        Assert.That((ledger.NumberOfBackend("pool", "b0"), ledger.NumberOfBackend("half", "asked")), Is.EqualTo((used, asked)));
        int[] again = [ledger.NumberOfListener("new"), ledger.NumberOfBackend("new", "b3")];
        Assert.That(again.Intersect([old, oldListener, old - 1]), Is.Not.Empty, "the places are used again");
        Assert.That(_sample.Read().NamesInUse, Is.EqualTo(before - 1));
    }

    [Test]
    public void Sweep_is_wanted_when_half_of_the_free_places_are_used()
    {
        ConnectionLedger ledger = _sample.Ledger;
        int wanted = 0;
        ledger.SweepWanted = () => wanted++;
        for (int i = 0; i < (LedgerSample.Small.Names / 2) - 1; i++)
        {
            ledger.NumberOfListener($"l{i}");
        }

        Assert.That(wanted, Is.Zero);
        ledger.NumberOfListener("one more");
        Assert.That(wanted, Is.EqualTo(1));
        ledger.BeginSweep();
        ledger.EndSweep();
        Assert.That(_sample.Read().NamesInUse, Is.Zero);
        ledger.NumberOfListener("another");
        Assert.That(wanted, Is.EqualTo(1));
    }

    [Test]
    public void Ledger_in_use_stays_mapped_when_it_is_disposed_of()
    {
        WorkerLedger part = _sample.Ledger.Claim(1);
        Assert.That(() => _sample.Ledger.Claim(1), Throws.InvalidOperationException);
        Assert.That(() => _sample.Ledger.Claim(2), Throws.InvalidOperationException);
        _sample.Ledger.Dispose();
        Begin(part, 0);
        Assert.That(_sample.Read().Connections, Has.Count.EqualTo(1), "a thread that hangs ends nothing");
        _sample.Ledger.EndSweep();
        part.Release();
    }

    private void Begin(WorkerLedger worker, int slot)
    {
        (int client, int backend) = _sample.Sockets();
        worker.Begin(slot, client, backend, LedgerSample.Record(_snapshot), LedgerSample.Start);
    }
}
