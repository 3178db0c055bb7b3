using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Ledger;

/// <summary>
/// A file in memory that says what the descriptors of this process are, so that a later process can go on with its connections
/// (docs/ledger.md is its layout). One per daemon, and of one engine. Each worker writes the entries of its own connections (<see cref="WorkerLedger"/>)
/// without a lock; names, listening sockets and overrides are written under one. Writing costs no system call, but for the first use of
/// memory. Any thread, except for <see cref="Dispose"/>: its memory is unmapped then, so that a later write would end the process.
/// </summary>
public sealed unsafe class ConnectionLedger : IDisposable
{
    /// <summary>Ids are reserved by this many, so that workers seldom write the header.</summary>
    private const ulong IdsAhead = 4096;

    private readonly Lock _gate = new();
    private readonly SharedFile _file;
    private readonly string _path;
    private readonly WorkerLedger[] _workers;
    private readonly LedgerNames _names;
    private readonly LedgerSockets _listening;
    private bool _isPublished;
    private bool _isDisposed;

    /// <summary>Held while entries are looked at that others write, so that the memory stays mapped.</summary>
    private readonly Lock _sweeping = new();

    private ConnectionLedger(SharedFile file, string path, LedgerShape shape)
    {
        _file = file;
        _path = path;
        Shape = shape;
        _names = new LedgerNames(file, shape);
        _listening = new LedgerSockets(file, shape);
        _workers = [.. Enumerable.Range(0, shape.Workers).Select(n => new WorkerLedger(this, n))];
    }

    public LedgerShape Shape { get; }

    /// <summary>
    /// How often the file system had no memory for the entry of a connection, or there were too many. Such a connection does not outlive a
    /// crash.
    /// </summary>
    public long Unwritten => _workers.Sum(w => w.Unwritten);

    /// <summary>
    /// Called when names are to be swept, by whoever asked for a name, perhaps on an event loop: it must return at once. It leads to
    /// <see cref="BeginSweep"/> and <see cref="EndSweep"/>, one sweep at a time.
    /// </summary>
    internal Action? SweepWanted { get; set; }

    /// <summary>Of a test, which looks at the file after each store of a worker, since the process may be killed there.</summary>
    internal Action? AfterStore { get; set; }

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

    /// <summary>For how long a keeper holds what the ledger names, once this process has ended.</summary>
    public void NoteTimeout(TimeSpan timeout) => Header->KeeperTimeout = (int)Math.Clamp(timeout.TotalMilliseconds, 0, int.MaxValue);

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
                int number = _names.OfBackend(pool, backend);
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
        bool set = _names.SetSeeds(pool, first, second);
        SweepIfNeeded();
        return set;
    }

    /// <summary>A socket listens for this listener from now on; one that is known already may go over to another listener.</summary>
    /// <returns>False if there is no place for it: its queue does not outlive the process.</returns>
    public bool AddListening(int descriptor, string listener)
    {
        lock (_gate)
        {
            int number = _names.Of(LedgerNameKind.Listener, 0, listener);
            return _listening.Add(descriptor, number);
        }
    }

    /// <summary>To be called before the descriptor is closed. Nothing happens if it is not known.</summary>
    public void RemoveListening(int descriptor)
    {
        lock (_gate)
        {
            _listening.Remove(descriptor);
        }
    }

    /// <summary>Unmaps the memory, unless an event loop of the engine hangs and may still write to it.</summary>
    public void Dispose()
    {
        lock (_sweeping)
        {
            _isDisposed = true;
            if (!Array.Exists(_workers, w => w.IsClaimed))
            {
                _file.Dispose();
            }
        }
    }

    /// <summary>The part of one worker, which its thread alone may use.</summary>
    internal WorkerLedger Of(int worker) => _workers[worker];

    /// <summary>The part of one worker for an event loop, until <see cref="WorkerLedger.Release"/>.</summary>
    /// <exception cref="InvalidOperationException">Another engine writes it, or there are fewer parts.</exception>
    internal WorkerLedger Claim(int worker) => worker < _workers.Length && _workers[worker].TryClaim()
        ? _workers[worker]
        : throw new InvalidOperationException($"the ledger has no place for event loop {worker}, or is that of another engine");

    /// <summary>The number of a backend's name, which is written if it is new; 0 as in <see cref="LedgerNames.Of"/>.</summary>
    internal int NumberOfBackend(string pool, string backend)
    {
        int number = _names.OfBackend(pool, backend);
        SweepIfNeeded();
        return number;
    }

    /// <inheritdoc cref="NumberOfBackend"/>
    internal int NumberOfListener(string listener)
    {
        int number = _names.Of(LedgerNameKind.Listener, 0, listener);
        SweepIfNeeded();
        return number;
    }

    /// <summary>
    /// Begins to look for names that nothing needs any more. Then every worker has to forget the numbers that it knows
    /// (<see cref="WorkerLedger.ForgetNames"/>), and then <see cref="EndSweep"/> removes those names.
    /// </summary>
    internal void BeginSweep() => _names.BeginRound();

    /// <summary>Takes about a millisecond for 100,000 connections, without holding up anybody.</summary>
    internal void EndSweep()
    {
        lock (_sweeping)
        {
            if (_isDisposed)
            {
                return;
            }

            bool[] used = new bool[Shape.Names + 1];
            Array.ForEach(_workers, w => w.MarkNames(used));
            lock (_gate)
            {
                MarkNames(used);
                _names.Sweep(used);
            }
        }
    }

    /// <summary>Called after each store of a worker; not compiled into a release.</summary>
    [Conditional("DEBUG")]
    internal void Stored() => AfterStore?.Invoke();

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

    private void SweepIfNeeded()
    {
        if (SweepWanted is { } wanted && _names.NeedsSweep)
        {
            wanted();
        }
    }

    private void MarkNames(bool[] used)
    {
        var overrides = (LedgerOverride*)(Start + Shape.OverridesAt + ((Header->OverridesInForce & 1) * Shape.OverridesLength));
        for (int i = 0; i < (int)(Header->OverridesInForce / 2); i++)
        {
            used[overrides[i].Backend] = true;
        }

        _listening.MarkNames(used);
    }
}
