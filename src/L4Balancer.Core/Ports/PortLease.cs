using System.Diagnostics;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Ports;

/// <summary>The local port that one connection has or is about to get. It must be returned exactly once.</summary>
internal struct PortLease
{
    private PortUse? _use;

    private PortLease(PortUse use) => _use = use;

    public readonly bool IsHeld => _use is not null;

    public static PortLease Take(PortUse use)
    {
        use.Take();
        return new PortLease(use);
    }

    public readonly void Connected(ushort port, Instant now) => _use?.Connected(port, now);

    /// <param name="port">0 if the connect failed.</param>
    /// <param name="waits">Whether the balancer sent the first FIN, so that the port stays in TIME_WAIT.</param>
    public void Return(ushort port, bool waits, Instant now) => End()?.Return(port, waits, now);

    /// <summary>Returns the lease of a connect that got no port.</summary>
    public void ReturnNothing() => End()?.ReturnNothing();

    /// <summary>The lease of a connection that comes from another engine or process; it counts from <see cref="Join"/> on.</summary>
    public static PortLease Coming(PortUse? use) => use is null ? default : new PortLease(use);

    /// <summary>Where the port is in use; null if none is held.</summary>
    public readonly PortUse? Use => _use;

    /// <summary>Moves the lease, with its connection, to another engine or process.</summary>
    /// <param name="port">0 if there is none.</param>
    public readonly void Leave(ushort port) => _use?.Lend(port);

    /// <summary>Accepts a lease that came with its connection from another engine or process.</summary>
    /// <param name="port">0 if there is none.</param>
    public readonly void Join(ushort port) => _use?.TakeOver(port);

    private PortUse? End()
    {
        PortUse? use = _use;
        Debug.Assert(use is not null, "A port was returned that is not held.");
        _use = null;
        return use;
    }
}
