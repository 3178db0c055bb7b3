namespace L4Balancer.Upgrade;

/// <summary>Where an upgrade is. The names are those of the admin API, in snake case.</summary>
internal enum UpgradeStep
{
    /// <summary><c>NEW check</c> runs.</summary>
    Checking,

    /// <summary>The new process starts, and builds what does not listen.</summary>
    Starting,

    /// <summary>The new process takes the listening sockets.</summary>
    Switching,

    /// <summary>Established connections go over.</summary>
    Moving,

    /// <summary>The new process serves; connections that cannot be moved end in the old one.</summary>
    Succeeded,

    /// <summary>The old process goes on.</summary>
    Failed,
}

/// <summary>One upgrade as it is at a moment.</summary>
/// <param name="Id">The same in both processes.</param>
/// <param name="Who">Who asked for it.</param>
internal sealed record UpgradeProgress(string Id, string Who, DateTimeOffset Started)
{
    public UpgradeStep Step { get; init; }

    /// <summary>0 until it is known.</summary>
    public int OldProcess { get; init; }

    public int NewProcess { get; init; }

    /// <summary>Connections that the new process serves.</summary>
    public int Moved { get; init; }

    /// <summary>Connections that are still in the old process.</summary>
    public int Left { get; init; }

    /// <summary>Connections that could not be served after they had been moved, and were reset.</summary>
    public int Lost { get; init; }

    /// <summary>How long the longest of those that were moved stood still.</summary>
    public TimeSpan Longest { get; init; }

    /// <summary>Why it has failed, or why some connections were not moved; null: nothing to say.</summary>
    public string? Fault { get; init; }

    /// <summary>When it succeeded or failed; null while it runs.</summary>
    public DateTimeOffset? Ended { get; init; }

    public bool IsRunning => Step is not (UpgradeStep.Succeeded or UpgradeStep.Failed);
}

/// <summary>The upgrade that is under way, or was the last. Any thread.</summary>
internal sealed class UpgradeRun(UpgradeProgress begun, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private volatile UpgradeProgress _now = begun;

    public UpgradeProgress Now => _now;

    public void Change(Func<UpgradeProgress, UpgradeProgress> change)
    {
        lock (_gate)
        {
            UpgradeProgress next = change(_now);
            _now = next.IsRunning || _now.Ended is not null ? next : next with { Ended = clock.GetUtcNow() };
        }
    }

    public void Enter(UpgradeStep step) => Change(now => now with { Step = step });

    public void Fail(string why) => Change(now => now with { Step = UpgradeStep.Failed, Fault = why });
}
