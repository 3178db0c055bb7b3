namespace L4Balancer.Core.Ports;

/// <summary>
/// A part of the local port range that one connect is to choose from (ip(7), IP_LOCAL_PORT_RANGE, Linux 6.3), so that the kernel does
/// not search all of it for the few that are free.
/// </summary>
/// <param name="Last">Included.</param>
public readonly record struct PortWindow(ushort First, ushort Last)
{
    /// <summary>As the option takes it.</summary>
    public uint Packed => First | ((uint)Last << 16);
}
