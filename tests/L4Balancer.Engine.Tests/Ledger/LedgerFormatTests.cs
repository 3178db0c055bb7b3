using System.Runtime.InteropServices;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Engine.Tests.Ledger;

/// <summary>Version 1 byte by byte: what an older or newer program wrote must be read for ever as it was meant.</summary>
internal sealed class LedgerFormatTests
{
    private static readonly LedgerWriter Writer = new(0x0807060504030201, 0x100F0E0D0C0B0A09, 4711, 123_456);

    [Test]
    public void Records_have_the_sizes_of_the_layout() => Assert.That(
        new[]
        {
            Marshal.SizeOf<LedgerHeader>(), Marshal.SizeOf<LedgerWorker>(), Marshal.SizeOf<LedgerOverride>(), Marshal.SizeOf<LedgerListening>(),
            Marshal.SizeOf<LedgerPipe>(), Marshal.SizeOf<LedgerName>(), Marshal.SizeOf<LedgerEntry>(),
        },
        Is.EqualTo(new[] { 160, 64, 16, 32, 32, 256, 128 }));

    [Test]
    public void Golden_ledger_is_read_as_it_was_meant()
    {
        LedgerReading read = LedgerReader.Read(GoldenLedger.Bytes(), Writer);

        Assert.That(read.Fault, Is.EqualTo(LedgerFault.None));
        Assert.That((read.Generation, read.NextId, read.Writer, read.State), Is.EqualTo((3, 5001, Writer, LedgerState.InUse)));
        Assert.That(read.Listening, Is.EqualTo([new LedgerSocket(20, 0x2020, "wss")]));
        Assert.That(read.Overrides, Is.EqualTo([(new LedgerBackendName("chat", "b\u00e9"), new BackendOverride(BackendMode.Draining, 25))]));
        Assert.That(read.Seeds, Is.EqualTo([new LedgerSeeds("chat", 0xAAAA, 0xBBBB)]));
        var pipe = new LedgerPipeEnds(40, 41, 262_144, 0x4040);
        Assert.That(read.Pipes, Is.EqualTo([pipe]));
        LedgerConnection clean = read.Connections[0];
        Assert.That((clean.Doubts, clean.Listener, clean.Backend), Is.EqualTo((LedgerDoubts.None, "wss", new LedgerBackendName("chat", "b\u00e9"))));
        Assert.That((clean.ToBackend, clean.ToClient), Is.EqualTo((pipe, (LedgerPipeEnds?)null)));
        LedgerEntry entry = clean.Entry;
        Assert.That((entry.Client, entry.Backend, entry.ClientCookie, entry.BackendCookie), Is.EqualTo((30, 31, 0x3030, 0x3131)));
        Assert.That((entry.Id, entry.AcceptedAt, entry.QueueTime, entry.ConnectTime), Is.EqualTo((904, 987_654_321, 15, 250)));
        Assert.That((entry.SourcePort, entry.DestinationPort, entry.LocalPort, entry.Route), Is.EqualTo((51234, 443, 40001, 3)));
        Assert.That(Convert.ToHexString(entry.Source), Is.EqualTo("20010DB8000000000000000000000007"));
        Assert.That(Convert.ToHexString(entry.Destination), Is.EqualTo("00000000000000000000FFFFC6336401"));
        Assert.That((entry.Generation, entry.Attempts, entry.Kinds, entry.Ends), Is.EqualTo((2, 1, EntryKinds.ClientIsUnix, EntryEnds.ClientFinished)));
        Assert.That((entry.StickyHigh, entry.StickyLow), Is.EqualTo((0x1111, 0x2222)));
        Assert.That(read.Connections[1].Doubts, Is.EqualTo(LedgerDoubts.DirtyToClient | LedgerDoubts.Ending));
        Assert.That(read.Connections, Has.Count.EqualTo(2));
    }

    [Test]
    public void Same_content_is_written_as_the_golden_bytes()
    {
        string folder = Directory.CreateTempSubdirectory("l4-golden-").FullName;
        string path = Path.Combine(folder, "ledger");
        using (ConnectionLedger ledger = ConnectionLedger.TryCreate(path, GoldenLedger.Shape, Writer, 3, 5001, out _)!)
        {
            Assert.That(ledger.NumberOfListener("wss"), Is.EqualTo(1));
            Assert.That(ledger.SetOverrides([("chat", "b\u00e9", new BackendOverride(BackendMode.Draining, 25))]));
            Assert.That(ledger.SetStickySeeds("chat", 0xAAAA, 0xBBBB));
            Assert.That(ledger.Publish(), Is.Null);
        }

        // What the kernel gives numbers to is not the writer's choice: those records are compared without it, by the reader's test.
        byte[] written = File.ReadAllBytes(path);
        Directory.Delete(folder, recursive: true);
        byte[] golden = GoldenLedger.Bytes();
        Assert.That(written, Has.Length.EqualTo(golden.Length));
        golden.AsSpan(104, 4).Clear();
        golden.AsSpan(4096, 64).Clear();
        golden.AsSpan(GoldenLedger.ListeningAt, GoldenLedger.NamesAt - GoldenLedger.ListeningAt).Clear();
        golden.AsSpan(GoldenLedger.EntriesAt).Clear();
        Assert.That(GoldenLedger.TextOf(written), Is.EqualTo(GoldenLedger.TextOf(golden)));
    }

    [TestCase(0, LedgerFault.WrongMagic)]
    [TestCase(8, LedgerFault.OtherVersion)]
    [TestCase(24, LedgerFault.OtherBoot)]
    [TestCase(44, LedgerFault.Malformed)]
    [TestCase(67, LedgerFault.Malformed)]
    [TestCase(76, LedgerFault.Malformed)]
    [TestCase(80, LedgerFault.Malformed)]
    [TestCase(97, LedgerFault.Malformed)]
    [TestCase(103, LedgerFault.Malformed)]
    [TestCase(107, LedgerFault.Malformed)]
    public void Header_that_is_not_right_is_refused(int offset, LedgerFault fault)
    {
        byte[] bytes = GoldenLedger.Bytes();
        bytes[offset] ^= 0x7F;
        Assert.That(LedgerReader.Read(bytes, Writer).Fault, Is.EqualTo(fault));
    }

    [Test]
    public void Every_length_is_answered()
    {
        byte[] bytes = GoldenLedger.Bytes();
        for (int length = 0; length < bytes.Length; length += length < 200 ? 1 : 97)
        {
            Assert.That(LedgerReader.Read(bytes.AsSpan(0, length), Writer).Fault, Is.EqualTo(LedgerFault.TooShort));
        }
    }

    // The entry begins at 0: state, dirty, descriptors, cookies, names, pipes.
    [TestCase(0, 3, LedgerDoubts.Content)]
    [TestCase(1, 1, LedgerDoubts.DirtyToBackend)]
    [TestCase(2, 1, LedgerDoubts.DirtyToClient)]
    [TestCase(3, 16, LedgerDoubts.Content)]
    [TestCase(4, 2, LedgerDoubts.Descriptor)]
    [TestCase(4, 31, LedgerDoubts.Descriptor)]
    [TestCase(4, 20, LedgerDoubts.Descriptor)]
    [TestCase(4, 40, LedgerDoubts.Descriptor | LedgerDoubts.Pipe)]
    [TestCase(11, 0x80, LedgerDoubts.Descriptor)]
    [TestCase(12, 9, LedgerDoubts.Pipe)]
    [TestCase(14, 1, LedgerDoubts.Pipe)]
    [TestCase(56, 2, LedgerDoubts.Name)]
    [TestCase(60, 1, LedgerDoubts.Name)]
    [TestCase(60, 200, LedgerDoubts.Name)]
    [TestCase(109, 8, LedgerDoubts.Content)]
    public void Entry_that_cannot_be_is_in_doubt(int offset, byte value, LedgerDoubts doubts)
    {
        byte[] bytes = GoldenLedger.Bytes();
        bytes[GoldenLedger.EntriesAt + offset] = value;
        Assert.That(LedgerReader.Read(bytes, Writer).Connections[0].Doubts, Is.EqualTo(doubts));
    }

    [Test]
    public void Cookies_that_are_missing_are_in_doubt()
    {
        byte[] bytes = GoldenLedger.Bytes();
        bytes.AsSpan(GoldenLedger.EntriesAt + 16, 8).Clear();
        Assert.That(LedgerReader.Read(bytes, Writer).Connections[0].Doubts, Is.EqualTo(LedgerDoubts.Cookie));
    }

    [Test]
    public void Start_of_a_process_is_found_behind_any_name() => Assert.That(
        LedgerWriter.StartOf("1 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20"), Is.EqualTo(4242));

    [Test]
    public void Largest_shape_fits_into_2_GiB()
    {
        LedgerShape shape = LedgerShape.For(workers: 64, connections: 1_000_000, pipes: 256);
        Assert.That(shape.Length, Is.InRange(1, int.MaxValue));
        Assert.That(LedgerShape.For(4, 100_000, 256).Slots, Is.EqualTo(100_000));
        Assert.That(new LedgerShape(0, 1, 1).Length + new LedgerShape(1, -1, 1).Length + new LedgerShape(4096, 1 << 24, 1).Length, Is.Zero);
    }
}
