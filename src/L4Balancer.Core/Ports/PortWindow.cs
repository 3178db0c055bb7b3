namespace L4Balancer.Core.Ports;

/// <summary>
/// A part of the local port range to which one connect is restricted (ip(7), IP_LOCAL_PORT_RANGE, Linux 6.3), so that the kernel does
/// not search the whole range for a few free ports.
/// </summary>
/// <param name="Last">The last port, inclusive.</param>
public readonly record struct PortWindow(ushort First, ushort Last)
{
    /// <summary>The value of the socket option.</summary>
    public uint Packed => First | ((uint)Last << 16);
}
