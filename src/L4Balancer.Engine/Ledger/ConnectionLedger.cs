using System.Diagnostics.CodeAnalysis;
using System.Text;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Ledger;

/// <summary>
/// A file in memory that says what the descriptors of this process are, so that a later process can go on with its connections
/// (docs/ledger.md is its layout). One per daemon. Each worker writes the entries of its own connections (<see cref="WorkerLedger"/>)
/// without a lock; names, listening sockets and overrides are written under one. Writing costs no system call, but for the first use of
/// memory. Any thread, except for <see cref="Dispose"/>: its memory is unmapped then, so that a later write would end the process.
/// </summary>
public sealed unsafe class ConnectionLedger : IDisposable
{
    /// <summary>Ids are reserved by this many, so that workers seldom write the header.</summary>
    private const ulong IdsAhead = 4096;

    private const int NamesPerPage = LedgerShape.Page / LedgerName.Size;

    private readonly Lock _gate = new();
    private readonly SharedFile _file;
    private readonly string _path;
    private readonly WorkerLedger[] _workers;
    private readonly Dictionary<(LedgerNameKind Kind, int Parent, string Name), int> _numbers = [];
    private readonly Dictionary<int, int> _listening = [];
    private readonly Stack<int> _freeListening = new();
    private bool _isPublished;

    private ConnectionLedger(SharedFile file, string path, LedgerShape shape)
    {
        _file = file;
        _path = path;
        Shape = shape;
        _workers = [.. Enumerable.Range(0, shape.Workers).Select(n => new WorkerLedger(this, n))];
    }

    public LedgerShape Shape { get; }

    /// <summary>
    /// How often the file system had no memory for the entry of a connection, or there were too many. Such a connection does not outlive a
    /// crash.
    /// </summary>
    public long Unwritten => _workers.Sum(w => w.Unwritten);

    internal byte* Start => _file.Start;

    internal LedgerHeader* Header => (LedgerHeader*)_file.Start;

    /// <summary>
    /// Makes the file of this process beside its path, with <c>.new</c> after it; <see cref="Publish"/> gives it its name, so that
    /// the ledger of the process before stays until it has been read.
    /// </summary>
    /// <param name="path">In a directory that only this user can write to.</param>
    /// <param name="generation">1, or one more than that of the ledger before.</param>
    /// <param name="nextId">As in the ledger before; otherwise 1.</param>
    /// <param name="fault">Why there is none, as text for a log: the file system has no memory, or the directory is not there.</param>
    /// <returns>Null if it cannot be made; nothing is left behind.</returns>
    public static ConnectionLedger? TryCreate(
        string path, LedgerShape shape, LedgerWriter writer, ulong generation, ulong nextId, [NotNullWhen(false)] out string? fault)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!BitConverter.IsLittleEndian || shape.Length == 0)
        {
            fault = "the ledger cannot have this size, or this processor is big-endian";
            return null;
        }

        string created = path + ".new";
        SharedFile.Remove(created);
        SharedFile? file = SharedFile.Create(created, shape.Length, out Errno error);

        // Everything but names and entries, whose memory comes when they are used.
        error = file?.Reserve(0, shape.NamesAt) ?? error;
        if (file is null || error != Errno.None)
        {
            file?.Dispose();
            SharedFile.Remove(created);
            fault = $"{created}: {error}";
            return null;
        }

        *(LedgerHeader*)file.Start = new LedgerHeader
        {
            Magic = LedgerHeader.RightMagic,
            Version = LedgerHeader.CurrentVersion,
            Generation = generation,
            BootFirst = writer.BootFirst,
            BootSecond = writer.BootSecond,
            Process = writer.Process,
            ProcessStarted = writer.Started,
            Workers = shape.Workers,
            Slots = shape.Slots,
            Pipes = shape.Pipes,
            Names = shape.Names,
            Overrides = shape.Overrides,
            Listening = shape.Listening,
            EntrySize = LedgerEntry.Size,
            FileLength = (ulong)shape.Length,
            NextId = nextId,
        };
        fault = null;
        return new ConnectionLedger(file, path, shape);
    }

    /// <summary>Declares it valid, and gives it its name in place of the ledger before.</summary>
    /// <returns>Null, or why not, as text for a log.</returns>
    public string? Publish()
    {
        lock (_gate)
        {
            Volatile.Write(ref *(uint*)&Header->State, (uint)LedgerState.InUse);
            Errno error = _isPublished ? Errno.None : SharedFile.Rename(_path + ".new", _path);
            _isPublished |= error == Errno.None;
            return error == Errno.None ? null : $"{_path}: {error}";
        }
    }

    /// <summary>The daemon ends in good order: the ledger is declared so, and its file removed.</summary>
    public void End()
    {
        lock (_gate)
        {
            Volatile.Write(ref *(uint*)&Header->State, (uint)LedgerState.Ended);
            SharedFile.Remove(_isPublished ? _path : _path + ".new");
        }
    }

    /// <summary>What operators have set. The overrides before stay in force until all of these are written.</summary>
    /// <param name="overrides">By pool and backend.</param>
    /// <returns>False if there was no place for all of them: the first ones are in force.</returns>
    public bool SetOverrides(IEnumerable<(string Pool, string Backend, BackendOverride Value)> overrides)
    {
        ArgumentNullException.ThrowIfNull(overrides);
        lock (_gate)
        {
            uint area = 1 - (Header->OverridesInForce & 1);
            var records = (LedgerOverride*)(Start + Shape.OverridesAt + (area * Shape.OverridesLength));
            int count = 0;
            bool all = true;
            foreach ((string pool, string backend, BackendOverride value) in overrides)
            {
                int number = NumberOf(LedgerNameKind.Backend, NumberOf(LedgerNameKind.Pool, 0, pool), backend);
                if (number == 0 || count == Shape.Overrides)
                {
                    all = false;
                    continue;
                }

                records[count++] = new LedgerOverride
                {
                    Backend = number,
                    Mode = (byte)value.Mode,
                    HasWeight = value.Weight is null ? (byte)0 : (byte)1,
                    Weight = value.Weight ?? 0,
                };
            }

            Volatile.Write(ref Header->OverridesInForce, ((uint)count * 2) + area);
            return all;
        }
    }

    /// <summary>The seeds that the hashes of a pool's sticky keys are made with.</summary>
    /// <returns>False if the name of the pool has no place.</returns>
    public bool SetStickySeeds(string pool, ulong first, ulong second)
    {
        lock (_gate)
        {
            int number = NumberOf(LedgerNameKind.Pool, 0, pool);
            if (number > 0)
            {
                LedgerName* name = NameAt(number);
                (name->FirstSeed, name->SecondSeed) = (first, second);
            }

            return number > 0;
        }
    }

    /// <summary>A socket listens for this listener from now on.</summary>
    /// <returns>False if there is no place for it: its queue does not outlive the process.</returns>
    public bool AddListening(int descriptor, string listener)
    {
        lock (_gate)
        {
            int number = NumberOf(LedgerNameKind.Listener, 0, listener);
            int place = _freeListening.TryPop(out int free) ? free : Header->ListeningInUse;
            if (number == 0 || place == Shape.Listening)
            {
                return false;
            }

            LedgerListening* record = ListeningAt(place);
            record->Descriptor = descriptor;
            record->Cookie = SocketCookie.Of(descriptor);
            record->Listener = number;
            Volatile.Write(ref record->IsInUse, 1);
            Header->ListeningInUse = Math.Max(Header->ListeningInUse, place + 1);
            _listening[descriptor] = place;
            return true;
        }
    }

    /// <summary>To be called before the descriptor is closed. Nothing happens if it is not known.</summary>
    public void RemoveListening(int descriptor)
    {
        lock (_gate)
        {
            if (_listening.Remove(descriptor, out int place))
            {
                Volatile.Write(ref ListeningAt(place)->IsInUse, 0);
                _freeListening.Push(place);
            }
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The part of one worker, which its thread alone may use.</summary>
    internal WorkerLedger Of(int worker) => _workers[worker];

    /// <summary>The number of a name, which is written if it is new.</summary>
    /// <returns>0 if it is too long, or there is no place for it: what it belongs to cannot be taken over.</returns>
    internal int NumberOf(LedgerNameKind kind, int parent, string text)
    {
        lock (_gate)
        {
            if (_numbers.TryGetValue((kind, parent, text), out int number))
            {
                return number;
            }

            int place = Header->NamesInUse;
            int length = Encoding.UTF8.GetByteCount(text);
            if ((kind == LedgerNameKind.Backend && parent == 0) || length is 0 or > LedgerName.LongestText || place == Shape.Names
                || !HasMemoryFor(place))
            {
                return 0;
            }

            number = place + 1;
            LedgerName* name = NameAt(number);
            name->Length = (ushort)length;
            name->Parent = parent;
            Encoding.UTF8.GetBytes(text, new Span<byte>(&name->Text, LedgerName.LongestText));
            Volatile.Write(ref *(byte*)&name->Kind, (byte)kind);
            Volatile.Write(ref Header->NamesInUse, number);
            _numbers.Add((kind, parent, text), number);
            return number;
        }
    }

    /// <summary>Notes that this id is used. Writes only once in 4096 ids.</summary>
    internal void NoteId(ulong id)
    {
        ulong next = Volatile.Read(ref Header->NextId);
        while (id >= next)
        {
            ulong seen = Interlocked.CompareExchange(ref Header->NextId, id + IdsAhead, next);
            if (seen == next)
            {
                return;
            }

            next = seen;
        }
    }

    /// <summary>Allocates the memory of a part of the file.</summary>
    internal bool TryReserve(long offset, long length) => _file.Reserve(offset, length) == Errno.None;

    private bool HasMemoryFor(int place) =>
        place % NamesPerPage != 0 || TryReserve(Shape.NamesAt + ((long)place * LedgerName.Size), LedgerShape.Page);

    private LedgerName* NameAt(int number) => (LedgerName*)(Start + Shape.NamesAt) + (number - 1);

    private LedgerListening* ListeningAt(int place) => (LedgerListening*)(Start + Shape.ListeningAt) + place;
}
