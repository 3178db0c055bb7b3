namespace L4Balancer.Core.Ports;

/// <summary>What this host gives to connects, for the whole process. Any thread.</summary>
public sealed class PortSupply
{
    private volatile PortRange _range = PortRange.Unknown;
    private volatile bool _lacksWindows;

    /// <summary>Whoever knows the host sets it, and sets it again when it changes.</summary>
    public PortRange Range
    {
        get => _range;
        set => _range = value;
    }

    /// <summary>Whether a connect can be told to choose from a part of the range.</summary>
    public bool HasWindows => !_lacksWindows;

    /// <summary>The kernel does not know the option (before Linux 6.3): connects search the whole range.</summary>
    public void LacksWindows() => _lacksWindows = true;
}
