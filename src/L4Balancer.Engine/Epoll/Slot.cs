using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// What stage of its life a connection has reached. <see cref="Dialer"/> makes the changes up to <see cref="Established"/>, <see cref="Closer"/>
/// those after it; <see cref="Migration"/> goes in and out of <see cref="Established"/>.
/// <code>
///                    a pause is over, a place is free
///                 +-----------------------------------+
///                 v                                   |
/// Free ---> Connecting ---> Established         Pausing
///   accepted   |   |            |  (Relaying -> Lingering | Flushing: <see cref="EndPhase"/>)
///              |   +------------|-------------------->^  failed: try again, or wait
///              | refused        | ended
///              +------> Free &lt;---+
/// </code>
/// </summary>
internal enum SlotState : byte
{
    Free,

    /// <summary>A connect is under way.</summary>
    Connecting,

    /// <summary>Waiting before the same backend is asked again.</summary>
    Pausing,

    /// <summary>Connected to a backend. What stage of its end it has reached stands in <see cref="Slot.End"/>.</summary>
    Established,
}

/// <summary>
/// Everything that a thread keeps of one connection: a value in an array, not an object. Sockets, directions, deadlines, record.
/// </summary>
internal struct Slot
{
    public const int NoDescriptor = -1;

    public ConnectionRecord Record;
    public RelayedBytes? Traffic;
    public Flow ToBackend;
    public Flow ToClient;

    /// <summary>The last moment at which a byte moved; before that, when it was accepted.</summary>
    public Instant LastActivity;

    /// <summary>How it ends, as Core decides.</summary>
    public ConnectionEnd End;

    public int Client;
    public int Backend;

    /// <summary>Index of the set-up state, or -1 once a backend is connected.</summary>
    public int Setup;

    /// <summary>Differs between two uses of the slot, so that an event of the former one is told from one of the latter.</summary>
    public uint Generation;

    /// <summary>Differs between two backend sockets of one connection, for the same reason.</summary>
    public byte Attempt;

    public SlotState State;
    public SideState ClientState;
    public SideState BackendState;
    /// <summary>The backend's socket has no keepalive yet: most connections that are short are over before it matters.</summary>
    public bool LacksKeepalive;

    /// <summary>It is in the list of those that wait for their next turn.</summary>
    public bool IsReady;

    /// <summary>Bytes go both ways, and nothing has ended it yet.</summary>
    public readonly bool IsRelaying => State == SlotState.Established && End.Phase == EndPhase.Relaying;
}
