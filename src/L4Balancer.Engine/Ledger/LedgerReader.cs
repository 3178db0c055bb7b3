using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Ledger;

/// <summary>
/// Reads a ledger that another process has written, and relies on nothing in it: whatever the bytes are, it throws nothing, reads nothing
/// outside of them, and needs memory for no more records than they hold. Any thread.
/// </summary>
internal readonly ref struct LedgerReader
{
    private readonly ReadOnlySpan<byte> _file;
    private readonly LedgerHeader _header;
    private readonly LedgerShape _shape;
    private readonly (LedgerNameKind Kind, int Parent, string Text)[] _names;

    private LedgerReader(ReadOnlySpan<byte> file, in LedgerHeader header)
    {
        _file = file;
        _header = header;
        _shape = header.Shape;
        _names = new (LedgerNameKind, int, string)[header.NamesInUse];
        for (int i = 0; i < _names.Length; i++)
        {
            _names[i] = NameOf(Record<LedgerName>(_shape.NamesAt, i, LedgerName.Size));
        }
    }

    /// <param name="current">Says of which boot a ledger may be.</param>
    public static LedgerReading Read(ReadOnlySpan<byte> file, LedgerWriter current)
    {
        LedgerFault fault = FaultOf(file, current, out LedgerHeader header);
        return fault == LedgerFault.None ? new LedgerReader(file, header).ReadAll() : new LedgerReading { Fault = fault };
    }

    private static LedgerFault FaultOf(ReadOnlySpan<byte> file, LedgerWriter current, out LedgerHeader header)
    {
        header = default;
        if (file.Length < LedgerHeader.Size)
        {
            return LedgerFault.TooShort;
        }

        header = MemoryMarshal.Read<LedgerHeader>(file);
        if (header.Magic != LedgerHeader.RightMagic)
        {
            return LedgerFault.WrongMagic;
        }

        if (header.Version != LedgerHeader.CurrentVersion)
        {
            return LedgerFault.OtherVersion;
        }

        if (header.State == LedgerState.Unfinished)
        {
            return LedgerFault.Unfinished;
        }

        if (header.BootFirst != current.BootFirst || header.BootSecond != current.BootSecond)
        {
            return LedgerFault.OtherBoot;
        }

        long length = header.Shape.Length;
        bool isSound = length > 0 && header.FileLength == (ulong)length && header.EntrySize == LedgerEntry.Size
            && header.State is LedgerState.InUse or LedgerState.Ended && header.Process > 0
            && header.NamesInUse >= 0 && header.NamesInUse <= header.Names
            && header.OverridesInForce / 2 <= header.Overrides
            && header.ListeningInUse >= 0 && header.ListeningInUse <= header.Listening;
        return !isSound ? LedgerFault.Malformed : file.Length < length ? LedgerFault.TooShort : LedgerFault.None;
    }

    private LedgerReading ReadAll()
    {
        var uses = new Dictionary<int, int>();
        List<LedgerSocket> listening = Listening(uses);
        List<LedgerPipeEnds> pipes = [];
        var connections = new List<(LedgerEntry Entry, int Worker, long Offset)>();
        for (int worker = 0; worker < _shape.Workers; worker++)
        {
            for (int i = 0; i < _shape.Pipes; i++)
            {
                if (PipeOf(worker, i) is { } pipe)
                {
                    pipes.Add(pipe);
                    Use(uses, pipe.ReadEnd);
                    Use(uses, pipe.WriteEnd);
                }
            }

            int reserved = Record<LedgerWorker>(LedgerShape.WorkersAt, worker, LedgerWorker.Size).Reserved;
            for (int i = 0; i < Math.Clamp(reserved, 0, _shape.Slots); i++)
            {
                long number = ((long)worker * _shape.Slots) + i;
                LedgerEntry entry = Record<LedgerEntry>(_shape.EntriesAt, number, LedgerEntry.Size);
                if (entry.State != EntryState.Free)
                {
                    connections.Add((entry, worker, _shape.EntriesAt + (number * LedgerEntry.Size)));
                    Use(uses, entry.Client);
                    Use(uses, entry.Backend);
                }
            }
        }

        HashSet<(int, int)> taken = [];
        var read = new List<LedgerConnection>(connections.Count);
        foreach ((LedgerEntry entry, int worker, long offset) in connections)
        {
            read.Add(ConnectionOf(entry, worker, offset, uses, taken));
        }

        return new LedgerReading
        {
            Fault = LedgerFault.None,
            State = _header.State,
            Writer = new LedgerWriter(_header.BootFirst, _header.BootSecond, _header.Process, _header.ProcessStarted),
            Generation = _header.Generation,
            KeeperTimeout = TimeSpan.FromMilliseconds(Math.Max(0, _header.KeeperTimeout)),
            NextId = Math.Max(
                _header.NextId, connections.Count == 0 ? 0 : connections.Max(c => Math.Min(c.Entry.Id, ulong.MaxValue - 1) + 1)),
            NamesInUse = _names.Count(n => n.Kind != LedgerNameKind.None),
            Listening = listening,
            Overrides = Overrides(),
            Seeds = Seeds(),
            Connections = read,
            Pipes = pipes,
        };
    }

    private LedgerConnection ConnectionOf(
        LedgerEntry entry, int worker, long offset, Dictionary<int, int> uses, HashSet<(int, int)> taken)
    {
        LedgerDoubts doubts = entry.State switch
        {
            EntryState.Living => LedgerDoubts.None,
            EntryState.Ending => LedgerDoubts.Ending,
            _ => LedgerDoubts.Content,
        };
        doubts |= entry.DirtyToBackend != 0 ? LedgerDoubts.DirtyToBackend : LedgerDoubts.None;
        doubts |= entry.DirtyToClient != 0 ? LedgerDoubts.DirtyToClient : LedgerDoubts.None;
        doubts |= uses[entry.Client] > 1 || uses[entry.Backend] > 1 || !IsDescriptor(entry.Client) || !IsDescriptor(entry.Backend)
            ? LedgerDoubts.Descriptor : LedgerDoubts.None;
        doubts |= entry.ClientCookie == 0 || entry.BackendCookie == 0 || entry.ClientCookie == entry.BackendCookie
            ? LedgerDoubts.Cookie : LedgerDoubts.None;
        doubts |= entry.Id == 0 || entry.AcceptedAt < 0 || (byte)entry.Ends > 15 || (byte)entry.Kinds > 7
            ? LedgerDoubts.Content : LedgerDoubts.None;
        string? listener = Named(LedgerNameKind.Listener, entry.Listener, out _);
        LedgerBackendName? backend = BackendOf(entry.BackendName);
        doubts |= listener is null || backend is null ? LedgerDoubts.Name : LedgerDoubts.None;
        LedgerPipeEnds? toBackend = PipeOf(worker, entry.PipeToBackend - 1);
        LedgerPipeEnds? toClient = PipeOf(worker, entry.PipeToClient - 1);
        doubts |= IsDoubtful(entry.PipeToBackend, toBackend) || IsDoubtful(entry.PipeToClient, toClient)
            ? LedgerDoubts.Pipe : LedgerDoubts.None;
        return new LedgerConnection
        {
            Doubts = doubts,
            Entry = entry,
            Offset = offset,
            Listener = listener,
            Backend = backend,
            ToBackend = toBackend,
            ToClient = toClient,
        };

        bool IsDoubtful(int number, LedgerPipeEnds? pipe) =>
            number != 0 && (pipe is null || pipe.Inode == 0 || uses[pipe.ReadEnd] > 1 || uses[pipe.WriteEnd] > 1
                || !taken.Add((worker, number)));
    }

    private List<LedgerSocket> Listening(Dictionary<int, int> uses)
    {
        var sockets = new List<LedgerSocket>();
        for (int i = 0; i < _header.ListeningInUse; i++)
        {
            LedgerListening record = Record<LedgerListening>(_shape.ListeningAt, i, LedgerListening.Size);
            if (record.IsInUse == 1 && IsDescriptor(record.Descriptor) && record.Cookie != 0
                && Named(LedgerNameKind.Listener, record.Listener, out _) is { } listener)
            {
                sockets.Add(new LedgerSocket(record.Descriptor, record.Cookie, listener));
                Use(uses, record.Descriptor);
            }
        }

        return sockets;
    }

    private List<(LedgerBackendName Backend, BackendOverride Value)> Overrides()
    {
        var overrides = new List<(LedgerBackendName, BackendOverride)>();
        long area = _shape.OverridesAt + ((_header.OverridesInForce & 1) * _shape.OverridesLength);
        for (int i = 0; i < (int)(_header.OverridesInForce / 2); i++)
        {
            LedgerOverride record = Record<LedgerOverride>(area, i, LedgerOverride.Size);
            if (BackendOf(record.Backend) is { } backend && record.Mode <= (byte)BackendMode.Maintenance && record.HasWeight <= 1)
            {
                overrides.Add((backend, new BackendOverride((BackendMode)record.Mode, record.HasWeight == 1 ? record.Weight : null)));
            }
        }

        return overrides;
    }

    private List<LedgerSeeds> Seeds()
    {
        var seeds = new List<LedgerSeeds>();
        for (int i = 0; i < _names.Length; i++)
        {
            LedgerName record = Record<LedgerName>(_shape.NamesAt, i, LedgerName.Size);
            if (_names[i].Kind == LedgerNameKind.Pool && (record.FirstSeed != 0 || record.SecondSeed != 0))
            {
                seeds.Add(new LedgerSeeds(_names[i].Text, record.FirstSeed, record.SecondSeed));
            }
        }

        return seeds;
    }

    // Null if there is no such pipe in use.
    private LedgerPipeEnds? PipeOf(int worker, int number)
    {
        if (number < 0 || number >= _shape.Pipes)
        {
            return null;
        }

        LedgerPipe pipe = Record<LedgerPipe>(_shape.PipesAt, ((long)worker * _shape.Pipes) + number, LedgerPipe.Size);
        return pipe.IsInUse == 1 && IsDescriptor(pipe.ReadEnd) && IsDescriptor(pipe.WriteEnd) && pipe.Capacity > 0
            ? new LedgerPipeEnds(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity, pipe.Inode)
            : null;
    }

    private LedgerBackendName? BackendOf(int number) =>
        Named(LedgerNameKind.Backend, number, out int parent) is { } name && Named(LedgerNameKind.Pool, parent, out _) is { } pool
            ? new LedgerBackendName(pool, name)
            : null;

    private string? Named(LedgerNameKind kind, int number, out int parent)
    {
        parent = 0;
        if (number <= 0 || number > _names.Length || _names[number - 1].Kind != kind)
        {
            return null;
        }

        parent = _names[number - 1].Parent;
        return _names[number - 1].Text;
    }

    private static (LedgerNameKind Kind, int Parent, string Text) NameOf(in LedgerName name)
    {
        if (name.Length is 0 or > LedgerName.LongestText || name.Kind is LedgerNameKind.None or > LedgerNameKind.Backend)
        {
            return default;
        }

        ReadOnlySpan<byte> text = ((ReadOnlySpan<byte>)name.Text)[..name.Length];
        return Utf8.IsValid(text) ? (name.Kind, name.Parent, Encoding.UTF8.GetString(text)) : default;
    }

    // Standard input, output and error are never one of ours; the kernel's highest descriptor is below 2^30 (fs.nr_open).
    private static bool IsDescriptor(int descriptor) => descriptor is > 2 and < 1 << 30;

    private static void Use(Dictionary<int, int> uses, int descriptor) => uses[descriptor] = uses.GetValueOrDefault(descriptor) + 1;

    private T Record<T>(long area, long number, int size)
        where T : unmanaged =>
        MemoryMarshal.Read<T>(_file.Slice((int)(area + (number * size)), size));
}
