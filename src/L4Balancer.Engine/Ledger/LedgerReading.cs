using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Ledger;

/// <summary>Why a ledger as a whole cannot be used.</summary>
public enum LedgerFault
{
    None,

    /// <summary>It is shorter than its header says, or than a header.</summary>
    TooShort,

    /// <summary>It is no ledger.</summary>
    WrongMagic,

    /// <summary>Of a version that this program does not read.</summary>
    OtherVersion,

    /// <summary>Its writer had not finished its header.</summary>
    Unfinished,

    /// <summary>Of another boot of the machine: nothing of it is left.</summary>
    OtherBoot,

    /// <summary>Its header contradicts itself.</summary>
    Malformed,
}

/// <summary>Why a connection cannot be gone on with. Several may hold.</summary>
[Flags]
public enum LedgerDoubts
{
    None = 0,

    /// <summary>Bytes for the backend were in the memory of the process.</summary>
    DirtyToBackend = 1,

    DirtyToClient = 2,

    /// <summary>It was being closed.</summary>
    Ending = 4,

    /// <summary>A descriptor that cannot be, or that another entry has too.</summary>
    Descriptor = 8,

    /// <summary>A cookie that is missing.</summary>
    Cookie = 16,

    /// <summary>A listener or backend without a name.</summary>
    Name = 32,

    /// <summary>A pipe that is not there, or that another direction has too.</summary>
    Pipe = 64,

    /// <summary>Something else that no writer of this version writes.</summary>
    Content = 128,

    /// <summary>A socket or pipe that was not open any more, or is another one.</summary>
    Missing = 256,

    /// <summary>The kernel has given up the connection of one side, or its peer has reset it.</summary>
    Failed = 512,
}

/// <summary>The backend of an entry.</summary>
public sealed record LedgerBackendName(string Pool, string Name);

/// <summary>A pipe with bytes of one direction, perhaps none. Its inode says whether the descriptors are still those.</summary>
public sealed record LedgerPipeEnds(int ReadEnd, int WriteEnd, int Capacity, ulong Inode);

/// <summary>A socket that listened.</summary>
public sealed record LedgerSocket(int Descriptor, ulong Cookie, string Listener);

/// <summary>The seeds that the hashes of a pool's sticky keys were made with.</summary>
public sealed record LedgerSeeds(string Pool, ulong First, ulong Second);

/// <summary>A connection as the ledger has it.</summary>
internal sealed record LedgerConnection
{
    public required LedgerDoubts Doubts { get; init; }

    public required LedgerEntry Entry { get; init; }

    /// <summary>Where the entry begins in the file.</summary>
    public required long Offset { get; init; }

    /// <summary>Null where <see cref="LedgerDoubts.Name"/> is set, as is <see cref="Backend"/>.</summary>
    public required string? Listener { get; init; }

    public required LedgerBackendName? Backend { get; init; }

    /// <summary>Null: no bytes are in a pipe.</summary>
    public required LedgerPipeEnds? ToBackend { get; init; }

    public required LedgerPipeEnds? ToClient { get; init; }

    public bool IsClean => Doubts == LedgerDoubts.None;
}

/// <summary>What a ledger says. Whether its descriptors are still what they were is for the kernel to say.</summary>
internal sealed record LedgerReading
{
    public required LedgerFault Fault { get; init; }

    public LedgerState State { get; init; }

    public LedgerWriter Writer { get; init; }

    public ulong Generation { get; init; }

    /// <summary>For how long its keeper waits; zero: not known.</summary>
    public TimeSpan KeeperTimeout { get; init; }

    /// <summary>Every connection of the writer had a lower id.</summary>
    public ulong NextId { get; init; }

    /// <summary>Names that can be read.</summary>
    public int NamesInUse { get; init; }

    public IReadOnlyList<LedgerSocket> Listening { get; init; } = [];

    public IReadOnlyList<(LedgerBackendName Backend, BackendOverride Value)> Overrides { get; init; } = [];

    /// <summary>Of the pools that have sticky keys.</summary>
    public IReadOnlyList<LedgerSeeds> Seeds { get; init; } = [];

    public IReadOnlyList<LedgerConnection> Connections { get; init; } = [];

    /// <summary>Every pipe of the writer, those without bytes included.</summary>
    public IReadOnlyList<LedgerPipeEnds> Pipes { get; init; } = [];
}
