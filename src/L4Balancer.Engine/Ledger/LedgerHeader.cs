using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Ledger;

/// <summary>Whether the writer of a ledger is about to fill it, uses it, or has stopped in good order.</summary>
internal enum LedgerState : uint
{
    /// <summary>Its header is not complete yet.</summary>
    Unfinished = 0,

    InUse = 1,

    /// <summary>The daemon has stopped in good order: nothing is left to take over.</summary>
    Ended = 2,
}

/// <summary>The beginning of the file, as docs/ledger.md describes it. Little-endian; what is not named is zero.</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct LedgerHeader
{
    public const int Size = 160;

    /// <summary>The bytes <c>L4LEDGER</c>.</summary>
    public const ulong RightMagic = 0x5245_4744_454C_344C;

    public const uint CurrentVersion = 1;

    [FieldOffset(0)]
    public ulong Magic;

    [FieldOffset(8)]
    public uint Version;

    [FieldOffset(12)]
    public LedgerState State;

    /// <summary>1 for the first daemon; that of an heir is one more than that of the ledger it took over.</summary>
    [FieldOffset(16)]
    public ulong Generation;

    /// <summary>
    /// The first eight bytes of the UUID in /proc/sys/kernel/random/boot_id, in the order in which it is written (RFC 9562, 4).
    /// </summary>
    [FieldOffset(24)]
    public ulong BootFirst;

    [FieldOffset(32)]
    public ulong BootSecond;

    /// <summary>The process that writes.</summary>
    [FieldOffset(40)]
    public int Process;

    [FieldOffset(44)]
    public int Workers;

    /// <summary>
    /// When that process started, in clock ticks since the boot (proc(5), stat, field 22): a process id may be used again.
    /// </summary>
    [FieldOffset(48)]
    public ulong ProcessStarted;

    [FieldOffset(56)]
    public int Slots;

    [FieldOffset(60)]
    public int Pipes;

    [FieldOffset(64)]
    public int Names;

    [FieldOffset(68)]
    public int Overrides;

    [FieldOffset(72)]
    public int Listening;

    /// <summary>The bytes of an entry: 128.</summary>
    [FieldOffset(76)]
    public int EntrySize;

    [FieldOffset(80)]
    public ulong FileLength;

    /// <summary>Every connection so far has a lower id.</summary>
    [FieldOffset(88)]
    public ulong NextId;

    /// <summary>Records of names in use.</summary>
    [FieldOffset(96)]
    public int NamesInUse;

    /// <summary>Twice the number of overrides in force, and 1 if they are in the second area: one store switches.</summary>
    [FieldOffset(100)]
    public uint OverridesInForce;

    /// <summary>Records of listening sockets that may be in use.</summary>
    [FieldOffset(104)]
    public int ListeningInUse;

    /// <summary>For how long the keeper of the writer waits for an heir, in milliseconds; 0: not known.</summary>
    [FieldOffset(108)]
    public int KeeperTimeout;

    public readonly LedgerShape Shape => new(Workers, Slots, Pipes, Names, Overrides, Listening);
}

/// <summary>The record of a worker, in 64 bytes so that no two workers write to one cache line.</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct LedgerWorker
{
    public const int Size = 64;

    /// <summary>Entries, from the first, that may be in use: the file has memory for them.</summary>
    [FieldOffset(0)]
    public int Reserved;
}
