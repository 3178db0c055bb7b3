namespace L4Balancer.Upgrade;

/// <summary>How long each step of an upgrade may take before the process that waits gives up.</summary>
internal sealed record UpgradeLimits
{
    /// <summary><c>NEW check</c>: reading a file may take its ten seconds.</summary>
    public TimeSpan Check { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>From the start of the new process to its first message: its runtime starts, and it reads the configuration.</summary>
    public TimeSpan Hello { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The new process builds its rings, hosts and tables.</summary>
    public TimeSpan Prepare { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The new process takes the counters over and starts to serve. Meanwhile nobody answers the admin API or a scrape.</summary>
    public TimeSpan Serve { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The answer to a slice, whose connections stand still: what a process that is stopped costs them.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A packet that is not read.</summary>
    public TimeSpan Send { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the old process waits for connections that are being set up, until they stay with it.</summary>
    public TimeSpan Connecting { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the old process reports on what still ends in it.</summary>
    public TimeSpan Report { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The commit of a slice that was answered: after it the old process is ended.</summary>
    public TimeSpan Commit { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A test that lets a process hang need not wait as long as an operator would.</summary>
    public static UpgradeLimits For(UpgradeFaults faults) => !faults.IsSilent ? new() : new()
    {
        Check = TimeSpan.FromSeconds(6),
        Hello = TimeSpan.FromSeconds(6),
        Prepare = TimeSpan.FromSeconds(6),
        Serve = TimeSpan.FromSeconds(4),
        Answer = TimeSpan.FromSeconds(1),
    };

    /// <summary>The new process waits this long for the next message, while the old one lives: connecting and closing ones take their time.</summary>
    public TimeSpan Quiet { get; init; } = TimeSpan.FromDays(1);
}
