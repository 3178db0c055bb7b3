namespace L4Balancer.Core.Ports;

/// <summary>The local ports that this host offers to connects, for the whole process. Any thread.</summary>
public sealed class PortSupply
{
    private volatile PortRange _range = PortRange.Unknown;
    private volatile bool _lacksWindows;

    /// <summary>The host's port range. The daemon sets it at start and whenever it changes.</summary>
    public PortRange Range
    {
        get => _range;
        set => _range = value;
    }

    /// <summary>Whether the kernel can restrict a connect to a part of the range.</summary>
    public bool HasWindows => !_lacksWindows;

    /// <summary>Records that the kernel lacks the option (before Linux 6.3), so that connects search the whole range.</summary>
    public void LacksWindows() => _lacksWindows = true;
}
