using System.Globalization;
using System.Runtime.CompilerServices;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Ledger;

/// <summary>
/// The entries and pipes of one worker in the <see cref="ConnectionLedger"/>. An entry has the place of the connection's slot. The process
/// may be killed between any two stores, so each leaves the file true: what makes an entry valid is stored last, what makes it invalid
/// first, and a direction is marked dirty before its bytes are read. The thread of the worker only; nothing allocates, but for a name that
/// is new.
/// </summary>
internal sealed unsafe class WorkerLedger
{
    /// <summary>Entries whose memory is allocated at a time: 64 KiB.</summary>
    private const int EntriesAtOnce = 512;

    /// <summary>Number of entries refused without a system call after the file system had no memory for them.</summary>
    private const int RefusalsAfterFailure = 1024;

    /// <summary>Numbers of names that are kept to be found fast; beyond it they are looked up anew.</summary>
    private const int MostNumbers = 16_384;

    private readonly ConnectionLedger _ledger;
    private readonly LedgerEntry* _entries;
    private readonly LedgerPipe* _pipes;
    private readonly LedgerWorker* _worker;
    private readonly int _number;
    private readonly Dictionary<object, int> _names = new(ReferenceEqualityComparer.Instance);
    private int _reserved;
    private int _refusals;
    private long _unwritten;
    private int _claimed;

    internal WorkerLedger(ConnectionLedger ledger, int number)
    {
        LedgerShape shape = ledger.Shape;
        _ledger = ledger;
        _number = number;
        _entries = (LedgerEntry*)(ledger.Start + shape.EntriesAt) + ((long)number * shape.Slots);
        _pipes = (LedgerPipe*)(ledger.Start + shape.PipesAt) + ((long)number * shape.Pipes);
        _worker = (LedgerWorker*)(ledger.Start + LedgerShape.WorkersAt) + number;
    }

    /// <summary>Connections that have no entry because there was no memory or no place. Any thread may read it.</summary>
    public long Unwritten => Volatile.Read(ref _unwritten);

    /// <summary>An event loop writes it.</summary>
    public bool IsClaimed => Volatile.Read(ref _claimed) != 0;

    /// <returns>False if another engine's event loop writes it.</returns>
    public bool TryClaim() => Interlocked.Exchange(ref _claimed, 1) == 0;

    /// <summary>The event loop has ended, and all its connections with it.</summary>
    public void Release() => Volatile.Write(ref _claimed, 0);

    /// <summary>An established connection gets its entry.</summary>
    /// <param name="slot">The place of its slot: of two connections at the same time, two places.</param>
    /// <returns>False if there is no memory or no place for it: the connection does not outlive the process.</returns>
    public bool Begin(int slot, int client, int backend, in ConnectionRecord record, in EntryStart start)
    {
        int listener = 0;
        int name = 0;
        ulong clientCookie = 0;
        ulong backendCookie = 0;
        if (HasMemoryFor(slot))
        {
            listener = NumberOf(record.Listener);
            name = NumberOf(record.Backend!);
            clientCookie = SocketCookie.Of(client);
            backendCookie = SocketCookie.Of(backend);
        }

        if (listener == 0 || name == 0 || clientCookie == 0 || backendCookie == 0)
        {
            Volatile.Write(ref _unwritten, _unwritten + 1);
            return false;
        }

        _ledger.NoteId(record.Id);
        LedgerEntry* entry = _entries + slot;
        *entry = new LedgerEntry
        {
            DirtyToBackend = start.IsDirtyToBackend ? (byte)1 : (byte)0,
            DirtyToClient = start.IsDirtyToClient ? (byte)1 : (byte)0,
            Ends = start.Ends,
            Client = client,
            Backend = backend,
            PipeToBackend = (ushort)(start.PipeToBackend + 1),
            PipeToClient = (ushort)(start.PipeToClient + 1),
            ClientCookie = clientCookie,
            BackendCookie = backendCookie,
            Id = record.Id,
            AcceptedAt = record.AcceptedAt.Ticks,
            QueueTime = Microseconds(record.QueueTime),
            ConnectTime = Microseconds(record.ConnectTime),
            Listener = listener,
            BackendName = name,
            SourcePort = record.Tuple.Source.Port,
            DestinationPort = record.Tuple.Destination.Port,
            LocalPort = record.LocalEndpoint.Port,
            Route = RouteOf(record.Route),
            Generation = (uint)record.Generation,
            Attempts = (byte)Math.Min(record.Attempts, byte.MaxValue),
            Kinds = KindsOf(record.Tuple, start.ClientIsUnix),
        };
        if (record.TryStickyHash(out ulong high, out ulong low))
        {
            (entry->StickyHigh, entry->StickyLow) = (high, low);
        }

        record.Tuple.Source.Address.WriteTo(new Span<byte>(&entry->Source, 16));
        record.Tuple.Destination.Address.WriteTo(new Span<byte>(&entry->Destination, 16));
        _ledger.Stored();
        Set(entry, EntryState.Living);
        return true;
    }

    /// <summary>The connection has a cause to end: from now on nobody can go on with it.</summary>
    public void NoteEnding(int slot)
    {
        if (slot < _reserved && _entries[slot].State == EntryState.Living)
        {
            Set(_entries + slot, EntryState.Ending);
        }
    }

    /// <summary>The connection is over. To be called before one of its descriptors is closed.</summary>
    public void End(int slot)
    {
        if (slot < _reserved)
        {
            Set(_entries + slot, EntryState.Free);
        }
    }

    /// <summary>Bytes are about to be read into memory of this process, or lie there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetDirty(int slot, bool toBackend)
    {
        if (slot < _reserved)
        {
            Volatile.Write(ref toBackend ? ref _entries[slot].DirtyToBackend : ref _entries[slot].DirtyToClient, 1);
            _ledger.Stored();
        }
    }

    /// <summary>Everything that was read into memory of this process is written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetClean(int slot, bool toBackend)
    {
        if (slot < _reserved)
        {
            Volatile.Write(ref toBackend ? ref _entries[slot].DirtyToBackend : ref _entries[slot].DirtyToClient, 0);
            _ledger.Stored();
        }
    }

    /// <summary>Bytes of this direction may be in this pipe from now on.</summary>
    /// <param name="pipe">Number of the pipe in the worker's pool; negative: none.</param>
    public void SetPipe(int slot, bool toBackend, int pipe)
    {
        if (slot < _reserved)
        {
            Volatile.Write(ref toBackend ? ref _entries[slot].PipeToBackend : ref _entries[slot].PipeToClient, (ushort)(pipe + 1));
            _ledger.Stored();
        }
    }

    public void AddEnds(int slot, EntryEnds ends)
    {
        if (slot < _reserved)
        {
            ref byte all = ref *(byte*)&_entries[slot].Ends;
            Volatile.Write(ref all, (byte)(all | (byte)ends));
            _ledger.Stored();
        }
    }

    /// <summary>A pipe of the worker's pool has been opened.</summary>
    public void AddPipe(int number, KernelPipe pipe)
    {
        if (number < _ledger.Shape.Pipes)
        {
            LedgerPipe* record = _pipes + number;
            record->ReadEnd = pipe.ReadEnd;
            record->WriteEnd = pipe.WriteEnd;
            record->Capacity = pipe.Capacity;
            record->Inode = SocketCookie.OfPipe(pipe.ReadEnd);
            Volatile.Write(ref record->IsInUse, 1);
            _ledger.Stored();
        }
    }

    /// <summary>To be called before its ends are closed.</summary>
    public void RemovePipe(int number)
    {
        if (number < _ledger.Shape.Pipes)
        {
            Volatile.Write(ref _pipes[number].IsInUse, 0);
            _ledger.Stored();
        }
    }

    /// <summary>Numbers of names are asked for anew, so that a sweep may remove those that are not.</summary>
    public void ForgetNames() => _names.Clear();

    /// <summary>Marks the names that entries refer to, those of other threads that write them meanwhile included. Any thread.</summary>
    public void MarkNames(bool[] used)
    {
        int reserved = Volatile.Read(ref _worker->Reserved);
        for (int i = 0; i < reserved; i++)
        {
            LedgerEntry* entry = _entries + i;
            if (Volatile.Read(ref *(byte*)&entry->State) != (byte)EntryState.Free)
            {
                used[entry->Listener] = true;
                used[entry->BackendName] = true;
            }
        }
    }

    private void Set(LedgerEntry* entry, EntryState state)
    {
        Volatile.Write(ref *(byte*)&entry->State, (byte)state);
        _ledger.Stored();
    }

    private bool HasMemoryFor(int slot)
    {
        int slots = _ledger.Shape.Slots;
        while (slot >= _reserved)
        {
            if (slot >= slots || _refusals > 0)
            {
                _refusals -= slot < slots ? 1 : 0;
                return false;
            }

            int next = Math.Min(EntriesAtOnce, slots - _reserved);
            long offset = _ledger.Shape.EntriesAt + ((((long)_number * slots) + _reserved) * LedgerEntry.Size);
            if (!_ledger.TryReserve(offset, (long)next * LedgerEntry.Size))
            {
                _refusals = RefusalsAfterFailure;
                return false;
            }

            _reserved += next;
            Volatile.Write(ref _worker->Reserved, _reserved);
        }

        return true;
    }

    private int NumberOf(object state)
    {
        if (_names.TryGetValue(state, out int number))
        {
            return number;
        }

        number = state is BackendState backend
            ? _ledger.NumberOfBackend(backend.Pool, backend.Name)
            : _ledger.NumberOfListener(((ListenerState)state).Name);
        if (number > 0)
        {
            if (_names.Count == MostNumbers)
            {
                _names.Clear();
            }

            _names.Add(state, number);
        }

        return number;
    }

    private static uint Microseconds(TimeSpan time) => (uint)Math.Clamp(time.Ticks / TimeSpan.TicksPerMicrosecond, 0, uint.MaxValue);

    private static ushort RouteOf(string route) => route.Length == 0 ? (ushort)0
        : ushort.TryParse(route, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) && number < ushort.MaxValue
            ? (ushort)(number + 1)
        : (ushort)1;

    private static EntryKinds KindsOf(FourTuple tuple, bool clientIsUnix) =>
        (clientIsUnix ? EntryKinds.ClientIsUnix : EntryKinds.None)
        | (tuple.Source.IsUnix ? EntryKinds.SourceIsUnix : EntryKinds.None)
        | (tuple.Destination.IsUnix ? EntryKinds.DestinationIsUnix : EntryKinds.None);
}
