using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Ledger;

/// <summary>What a record of <see cref="LedgerName"/> names.</summary>
internal enum LedgerNameKind : byte
{
    None = 0,
    Listener = 1,
    Pool = 2,

    /// <summary>Its pool is the parent.</summary>
    Backend = 3,
}

/// <summary>
/// The name of a listener, pool or backend. Its number, from 1, is its place; once a record has a kind, only its seeds change.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct LedgerName
{
    public const int Size = 256;

    /// <summary>The longest name in bytes.</summary>
    public const int LongestText = 224;

    /// <summary>Written last.</summary>
    [FieldOffset(0)]
    public LedgerNameKind Kind;

    [FieldOffset(2)]
    public ushort Length;

    /// <summary>Number of the pool of a backend; 0: none.</summary>
    [FieldOffset(4)]
    public int Parent;

    /// <summary>Of a pool: the seeds of the hashes of its sticky keys; 0: none are written.</summary>
    [FieldOffset(8)]
    public ulong FirstSeed;

    [FieldOffset(16)]
    public ulong SecondSeed;

    /// <summary>UTF-8.</summary>
    [FieldOffset(32)]
    public NameText Text;

    [InlineArray(LongestText)]
    public struct NameText
    {
        private byte _first;
    }
}

/// <summary>What an operator has set for a backend.</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct LedgerOverride
{
    public const int Size = 16;

    /// <summary>Number of its name.</summary>
    [FieldOffset(0)]
    public int Backend;

    /// <summary>0 ready, 1 draining, 2 maintenance.</summary>
    [FieldOffset(4)]
    public byte Mode;

    /// <summary>1: <see cref="Weight"/> is set.</summary>
    [FieldOffset(5)]
    public byte HasWeight;

    [FieldOffset(8)]
    public int Weight;
}

/// <summary>A socket that listens. Its address is asked of the kernel (getsockname(2)).</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct LedgerListening
{
    public const int Size = 32;

    /// <summary>1: in use. Written last, cleared first.</summary>
    [FieldOffset(0)]
    public byte IsInUse;

    [FieldOffset(4)]
    public int Descriptor;

    /// <summary>SO_COOKIE of the socket.</summary>
    [FieldOffset(8)]
    public ulong Cookie;

    /// <summary>Number of the listener's name.</summary>
    [FieldOffset(16)]
    public int Listener;
}

/// <summary>A kernel pipe of a worker. How many bytes it holds is asked of the kernel (FIONREAD).</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct LedgerPipe
{
    public const int Size = 32;

    /// <summary>1: in use. Written last, cleared first.</summary>
    [FieldOffset(0)]
    public byte IsInUse;

    [FieldOffset(4)]
    public int ReadEnd;

    [FieldOffset(8)]
    public int WriteEnd;

    /// <summary>In bytes.</summary>
    [FieldOffset(12)]
    public int Capacity;

    /// <summary>The inode of the pipe (statx(2)), which both ends share.</summary>
    [FieldOffset(16)]
    public ulong Inode;
}
