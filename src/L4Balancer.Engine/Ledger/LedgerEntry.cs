using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Ledger;

/// <summary>How far the connection of an entry is. Written last when it begins, first when it ends.</summary>
internal enum EntryState : byte
{
    Free = 0,

    /// <summary>It is relayed.</summary>
    Living = 1,

    /// <summary>It has a cause to end and is being closed, or one side is lost: nobody can go on with it.</summary>
    Ending = 2,
}

/// <summary>What has ended. Reading or sending a FIN again changes nothing, so these are never in doubt.</summary>
[Flags]
internal enum EntryEnds : byte
{
    None = 0,
    ClientFinished = 1,
    BackendFinished = 2,

    /// <summary>The client's FIN went on to the backend.</summary>
    PassedToBackend = 4,

    /// <summary>The backend's FIN went on to the client.</summary>
    PassedToClient = 8,
}

/// <summary>Which of its addresses are UNIX sockets.</summary>
[Flags]
internal enum EntryKinds : byte
{
    None = 0,

    /// <summary>The client's socket is a UNIX socket; its source may be another one, from a PROXY header.</summary>
    ClientIsUnix = 1,

    /// <summary>The source is a client of a UNIX socket, and the source port its number.</summary>
    SourceIsUnix = 2,

    /// <summary>The destination is a UNIX socket: its path is that of the client's socket.</summary>
    DestinationIsUnix = 4,
}

/// <summary>What an entry begins with, beside the record of its connection.</summary>
/// <param name="IsDirtyToBackend">Bytes for the backend are in the memory of the process, such as the rest of a PROXY header.</param>
/// <param name="PipeToBackend">Number of the worker's pipe that has bytes for the backend; negative: none.</param>
internal readonly record struct EntryStart(
    EntryEnds Ends, bool ClientIsUnix, bool IsDirtyToBackend, bool IsDirtyToClient, int PipeToBackend, int PipeToClient);

/// <summary>An established connection, in two cache lines; what changes with its bytes is in the first.</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct LedgerEntry
{
    public const int Size = 128;

    [FieldOffset(0)]
    public EntryState State;

    /// <summary>1: bytes of the client have been read and are perhaps not written: they are in the memory of the process.</summary>
    [FieldOffset(1)]
    public byte DirtyToBackend;

    [FieldOffset(2)]
    public byte DirtyToClient;

    [FieldOffset(3)]
    public EntryEnds Ends;

    [FieldOffset(4)]
    public int Client;

    [FieldOffset(8)]
    public int Backend;

    /// <summary>One more than the number of the worker's pipe that has bytes for the backend, perhaps none; 0: it has no pipe.</summary>
    [FieldOffset(12)]
    public ushort PipeToBackend;

    [FieldOffset(14)]
    public ushort PipeToClient;

    /// <summary>SO_COOKIE of the client's socket (socket(7)): the number of a descriptor may be used again, this is not.</summary>
    [FieldOffset(16)]
    public ulong ClientCookie;

    [FieldOffset(24)]
    public ulong BackendCookie;

    [FieldOffset(32)]
    public ulong Id;

    /// <summary>In ticks of 100 ns of CLOCK_MONOTONIC.</summary>
    [FieldOffset(40)]
    public long AcceptedAt;

    /// <summary>From accept to the connect that succeeded, in microseconds; at most 2^32 - 1.</summary>
    [FieldOffset(48)]
    public uint QueueTime;

    /// <summary>The duration of that connect, likewise.</summary>
    [FieldOffset(52)]
    public uint ConnectTime;

    /// <summary>Number of the listener's name.</summary>
    [FieldOffset(56)]
    public int Listener;

    /// <summary>Number of the backend's name, which has the pool.</summary>
    [FieldOffset(60)]
    public int BackendName;

    /// <summary>16 bytes in network order, IPv4 in its mapped form (RFC 4291, 2.5.5.2).</summary>
    [FieldOffset(64)]
    public AddressBytes Source;

    [FieldOffset(80)]
    public AddressBytes Destination;

    [FieldOffset(96)]
    public ushort SourcePort;

    [FieldOffset(98)]
    public ushort DestinationPort;

    /// <summary>The local port towards the backend; 0 for a UNIX socket.</summary>
    [FieldOffset(100)]
    public ushort LocalPort;

    /// <summary>0: there are no routes; 1: none fitted; otherwise one more than the number of the route.</summary>
    [FieldOffset(102)]
    public ushort Route;

    /// <summary>Of the configuration that admitted it.</summary>
    [FieldOffset(104)]
    public uint Generation;

    [FieldOffset(108)]
    public byte Attempts;

    [FieldOffset(109)]
    public EntryKinds Kinds;

    /// <summary>The hash of its sticky key with the seeds of its pool; both zero: none.</summary>
    [FieldOffset(112)]
    public ulong StickyHigh;

    [FieldOffset(120)]
    public ulong StickyLow;

    [InlineArray(16)]
    public struct AddressBytes
    {
        private byte _first;
    }
}
