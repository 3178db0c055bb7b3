using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Listening;

/// <summary>One address of a snapshot, and the socket that listens there: an existing one, or a new one once it is bound.</summary>
internal sealed class PlannedBind<TSocket>(ListenerRoute target, Endpoint requested)
    where TSocket : ListeningSocket
{
    public ListenerRoute Target { get; } = target;

    public Endpoint Requested { get; } = requested;

    public TSocket? Socket { get; set; }

    public bool IsNew { get; set; }

    /// <summary>Identifies the bind from snapshot to snapshot.</summary>
    public (string Listener, Endpoint Requested) Key => (Target.Listener.Name, Requested);
}
