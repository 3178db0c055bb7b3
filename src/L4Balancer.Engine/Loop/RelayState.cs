using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The part of a connection's state that exists only once a backend is connected, kept apart from the <see cref="Slot"/>: a client whose
/// first bytes are waited for costs no memory for it.
/// </summary>
internal struct RelayState
{
    public RelayedBytes? Traffic;
    public Flow ToBackend;
    public Flow ToClient;

    /// <summary>Core's state machine for the end of the connection.</summary>
    public ConnectionEnd End;

    public static RelayState New() => new() { ToBackend = Flow.New(), ToClient = Flow.New() };
}
