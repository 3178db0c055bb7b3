using System.Diagnostics;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Ports;

/// <summary>The local port that one connection has, or is about to get. It is returned once.</summary>
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

    /// <param name="port">0 where the connect came to nothing.</param>
    /// <param name="waits">We were the first to send FIN: the port stays in TIME_WAIT.</param>
    public void Return(ushort port, bool waits, Instant now) => End()?.Return(port, waits, now);

    /// <summary>The connect found no port.</summary>
    public void ReturnNothing() => End()?.ReturnNothing();

    /// <summary>The connection goes to another engine with its port.</summary>
    public readonly void Leave() => _use?.ReturnNothing();

    /// <summary>It has come to this one.</summary>
    public readonly void Join() => _use?.Take();

    private PortUse? End()
    {
        PortUse? use = _use;
        Debug.Assert(use is not null, "A port was returned that is not held.");
        _use = null;
        return use;
    }
}
