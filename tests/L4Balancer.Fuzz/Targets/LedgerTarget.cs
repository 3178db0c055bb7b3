using System.Runtime.InteropServices;
using System.Text;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Fuzz.Targets;

/// <summary>
/// The ledger of a process before (docs/ledger.md): whatever it contains is answered, and what is called clean can be gone on with. An input has the
/// records of a small ledger one after the other, without the space between the areas.
/// </summary>
internal sealed class LedgerTarget : FuzzTarget
{
    private static readonly LedgerShape Shape = new(Workers: 1, Slots: 4, Pipes: 2, Names: 4, Overrides: 2, Listening: 2);
    private static readonly LedgerWriter Writer = new(1, 2, 4711, 5);

    // Where the records are in the file, and how long they are.
    private static readonly (int At, int Length)[] Parts =
    [
        (0, LedgerHeader.Size), ((int)LedgerShape.WorkersAt, LedgerWorker.Size), ((int)Shape.OverridesAt, 2 * LedgerOverride.Size),
        ((int)Shape.ListeningAt, 2 * LedgerListening.Size), ((int)Shape.PipesAt, 2 * LedgerPipe.Size), ((int)Shape.NamesAt, 4 * LedgerName.Size),
        ((int)Shape.EntriesAt, 4 * LedgerEntry.Size),
    ];

    public override string Name => "ledger";

    public override int Longest => Parts.Sum(p => p.Length) + 100;

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0], [1], [2], [3], [0, 0, 0, 0], [255, 255, 255, 255], [0, 0, 0, 128], [255, 255, 255, 127], [10, 0, 0, 0], [11, 0, 0, 0], .. Texts.Of("L4LEDGER", "wss", "\u00ff"),
    ];

    public override IEnumerable<byte[]> Seeds()
    {
        LedgerEntry entry = Entry(10, 11);
        LedgerEntry spliced = Entry(12, 13);
        spliced.PipeToBackend = 1;
        LedgerEntry ending = Entry(14, 15);
        ending.State = EntryState.Ending;
        LedgerEntry dirty = Entry(16, 17);
        dirty.DirtyToClient = 1;
        return [Seed(), Seed(entry), Seed(entry, spliced, ending, dirty), Seed(dirty, default, spliced)];
    }

    public override bool Run(byte[] bytes)
    {
        // The input itself, which is too short, and a file of its records.
        Finding.Unless(LedgerReader.Read(bytes, Writer).Fault != LedgerFault.None, "a ledger that is too short was read");
        byte[] file = FileOf(bytes);
        LedgerReading read = LedgerReader.Read(file, Writer);
        if (read.Fault != LedgerFault.None)
        {
            Finding.Unless(read.Connections.Count + read.Listening.Count + read.Overrides.Count + read.Pipes.Count == 0, $"{read.Fault}, and content");
            return false;
        }

        HashSet<int> descriptors = [];
        foreach (LedgerConnection connection in read.Connections)
        {
            Finding.Unless(connection.Entry.Id == ulong.MaxValue || connection.Entry.Id < read.NextId, $"id {connection.Entry.Id}, and {read.NextId} is the next");
            if (connection.IsClean)
            {
                Check(connection, descriptors);
            }
        }

        foreach (LedgerSocket socket in read.Listening)
        {
            Finding.Unless(!descriptors.Contains(socket.Descriptor) && socket is { Descriptor: > 2, Cookie: > 0, Listener.Length: > 0 }, $"{socket}");
        }

        foreach ((LedgerBackendName backend, BackendOverride value) in read.Overrides)
        {
            Finding.Unless(backend is { Pool.Length: > 0, Name.Length: > 0 } && Enum.IsDefined(value.Mode), $"{backend} {value}");
        }

        return true;
    }

    private static void Check(LedgerConnection connection, HashSet<int> descriptors)
    {
        LedgerEntry entry = connection.Entry;
        Finding.Unless(entry is { State: EntryState.Living, DirtyToBackend: 0, DirtyToClient: 0 }, "neither living nor clean");
        Finding.Unless(connection.Listener is { Length: > 0 } && connection.Backend is { Pool.Length: > 0, Name.Length: > 0 }, "a name is missing");
        Finding.Unless((entry.PipeToBackend != 0) == (connection.ToBackend is not null), "the pipe to the backend");
        Finding.Unless((entry.PipeToClient != 0) == (connection.ToClient is not null), "the pipe to the client");
        int[] own =
        [
            entry.Client, entry.Backend, .. EndsOf(connection.ToBackend), .. EndsOf(connection.ToClient),
        ];
        foreach (int descriptor in own)
        {
            Finding.Unless(descriptor > 2 && descriptors.Add(descriptor), $"descriptor {descriptor} is used twice, or cannot be");
        }
    }

    private static int[] EndsOf(LedgerPipeEnds? pipe) => pipe is null ? [] : [pipe.ReadEnd, pipe.WriteEnd];

    private static byte[] FileOf(ReadOnlySpan<byte> records)
    {
        var file = new byte[Shape.Length];
        foreach ((int at, int length) in Parts)
        {
            ReadOnlySpan<byte> part = records[..Math.Min(length, records.Length)];
            part.CopyTo(file.AsSpan(at));
            records = records[part.Length..];
        }

        return file;
    }

    private static LedgerEntry Entry(int client, int backend) => new()
    {
        State = EntryState.Living,
        Client = client,
        Backend = backend,
        ClientCookie = (ulong)client,
        BackendCookie = (ulong)backend,
        Id = (ulong)client,
        AcceptedAt = 1,
        Listener = 1,
        BackendName = 3,
    };

    private static byte[] Seed(params LedgerEntry[] entries)
    {
        var header = new LedgerHeader
        {
            Magic = LedgerHeader.RightMagic,
            Version = LedgerHeader.CurrentVersion,
            State = LedgerState.InUse,
            Generation = 1,
            BootFirst = 1,
            BootSecond = 2,
            Process = 4711,
            Workers = 1,
            Slots = 4,
            Pipes = 2,
            Names = 4,
            Overrides = 2,
            Listening = 2,
            EntrySize = LedgerEntry.Size,
            FileLength = (ulong)Shape.Length,
            NextId = 20,
            NamesInUse = 3,
            OverridesInForce = 2,
            ListeningInUse = 1,
        };
        LedgerEntry[] all = [.. entries, .. new LedgerEntry[4 - entries.Length]];
        return
        [
            .. Of(header), .. Of(new LedgerWorker { Reserved = 4 }), .. Of(new LedgerOverride { Backend = 3, Mode = 1, HasWeight = 1, Weight = 5 }),
            .. Of(default(LedgerOverride)), .. Of(new LedgerListening { IsInUse = 1, Descriptor = 20, Cookie = 20, Listener = 1 }), .. Of(default(LedgerListening)),
            .. Of(new LedgerPipe { IsInUse = 1, ReadEnd = 21, WriteEnd = 22, Capacity = 4096, Inode = 21 }), .. Of(default(LedgerPipe)),
            .. Of(NameOf(LedgerNameKind.Listener, 0, "wss")), .. Of(NameOf(LedgerNameKind.Pool, 0, "chat")), .. Of(NameOf(LedgerNameKind.Backend, 2, "b1")),
            .. Of(default(LedgerName)), .. all.SelectMany(e => Of(e)),
        ];
    }

    private static LedgerName NameOf(LedgerNameKind kind, int parent, string text)
    {
        var name = new LedgerName { Kind = kind, Parent = parent, Length = (ushort)text.Length };
        Encoding.ASCII.GetBytes(text, name.Text);
        return name;
    }

    private static byte[] Of<T>(T record)
        where T : struct
    {
        var bytes = new byte[Marshal.SizeOf<T>()];
        MemoryMarshal.Write(bytes, record);
        return bytes;
    }
}
