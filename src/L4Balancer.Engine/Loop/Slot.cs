using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The stage that a connection has reached. <see cref="Dialer"/> makes the transitions up to <see cref="Established"/>, <see cref="Closer"/>
/// the later ones. <see cref="Migration"/> freezes while relaying, and thaws; <see cref="Adoption"/> begins in <see cref="Established"/>.
/// <code>
///                  deadline passed: the next attempt
///                 +-----------------------------------+
///                 v                                   |
/// Free ---> Connecting ---> Established         Pausing
///   accepted   |   |            |  (Relaying -> Lingering | Flushing: <see cref="EndPhase"/>)
///              |   +------------|-------------------->^  failed: try again, or wait
///              | refused        | ended  (Relaying &lt;-> Frozen)
///              +------> Free &lt;---+          Frozen ---> Free: another process has it
/// </code>
/// Where the first bytes of the client decide, <see cref="Inspecting"/> comes before <see cref="Connecting"/>; <see cref="Inspector"/> leaves it.
/// </summary>
internal enum SlotState : byte
{
    Free,

    /// <summary>A connect is in progress.</summary>
    Connecting,

    /// <summary>Waiting before the next attempt to connect.</summary>
    Pausing,

    /// <summary>Waiting for the first bytes of the client.</summary>
    Inspecting,

    /// <summary>Connected to a backend. <see cref="Slot.End"/> has the stage of its end.</summary>
    Established,

    /// <summary>Established, but out of the event loop: another engine may be about to adopt it.</summary>
    Frozen,
}

/// <summary>
/// The state of one connection, as a value in an array rather than an object: sockets, deadlines, record; and, once a backend is connected,
/// a reference to its <see cref="RelayState"/>.
/// </summary>
internal struct Slot
{
    public const int NoDescriptor = -1;

    private RelayState[]? _relays;
    private int _relay;

    public ConnectionRecord Record;

    /// <summary>When a byte was last moved; before the first one, when the connection was accepted.</summary>
    public Instant LastActivity;

    /// <summary>Its place in the <see cref="SlotTable"/>.</summary>
    public int Index;

    public int Client;
    public int Backend;

    /// <summary>Index of the set-up state, or -1 once a backend is connected.</summary>
    public int Setup;

    /// <summary>Differs between two uses of the slot, so that events of an earlier use are recognized as stale.</summary>
    public uint Generation;

    /// <summary>Differs between two backend sockets of one connection, so that events of an earlier one are recognized as stale.</summary>
    public byte Attempt;

    public SlotState State;
    public SideState ClientState;
    public SideState BackendState;

    /// <summary>The backend's socket has no keepalive yet: most short connections end before it matters.</summary>
    public bool LacksKeepalive;

    /// <summary>The backend's socket lacks the options for more than one write; <see cref="LateOptions"/> sets them.</summary>
    public bool LacksWriteOptions;

    /// <summary>Something has been written to the backend; kept only while <see cref="LacksWriteOptions"/>.</summary>
    public bool HasWritten;

    /// <summary>One side is lost, and the connection waits until the other one has acknowledged everything.</summary>
    public bool IsFlushing;

    /// <summary>The client's socket is a UNIX socket. The client in the record may be another one, from a PROXY header.</summary>
    public bool ClientIsUnix;

    /// <summary>While it is frozen: why it is to be closed once it thaws; none if it is not.</summary>
    public CloseReason ReasonToEnd;

    /// <summary>It is to be reset then, instead of closed in good order.</summary>
    public bool IsToAbort;

    /// <summary>The connection is queued for its next turn.</summary>
    public bool IsReady;

    /// <summary>Whether it has the state that a connected backend requires; set by <see cref="SlotTable.BeginRelay"/>.</summary>
    public readonly bool HasRelay => _relays is not null;

    /// <summary>The bytes relayed, as counted for the backend. This and the following three: only if <see cref="HasRelay"/>.</summary>
    public readonly ref RelayedBytes? Traffic => ref _relays![Chunks<RelayState>.OffsetOf(_relay)].Traffic;

    public readonly ref Flow ToBackend => ref _relays![Chunks<RelayState>.OffsetOf(_relay)].ToBackend;

    public readonly ref Flow ToClient => ref _relays![Chunks<RelayState>.OffsetOf(_relay)].ToClient;

    /// <inheritdoc cref="RelayState.End"/>
    public readonly ref ConnectionEnd End => ref _relays![Chunks<RelayState>.OffsetOf(_relay)].End;

    /// <param name="relays">The chunk that has the state of this index.</param>
    public void SetRelay(RelayState[] relays, int index) => (_relays, _relay) = (relays, index);

    /// <returns>The index that was set.</returns>
    public int EndRelay()
    {
        _relays = null;
        return _relay;
    }

    /// <summary>A read returned end of file.</summary>
    public void NoteFin(Side side)
    {
        if (End.FinRead(side))
        {
            Record.NoteHalfClosed();
        }
    }

    /// <summary>Bytes are relayed both ways, and no cause has ended the connection yet.</summary>
    public readonly bool IsRelaying => State == SlotState.Established && End.Phase == EndPhase.Relaying;

    /// <summary>As <see cref="IsRelaying"/>, also where it is frozen.</summary>
    public readonly bool MayBeClosed => State is SlotState.Established or SlotState.Frozen && End.Phase == EndPhase.Relaying;
}
