namespace L4Balancer.Core.Accounting;

/// <summary>Results of upgrades: the old process counts one that failed, the new one that it has taken over. Any thread may count and read.</summary>
public sealed class UpgradeCounters
{
    private long _succeeded;
    private long _failed;

    public long Succeeded => Volatile.Read(ref _succeeded);

    public long Failed => Volatile.Read(ref _failed);

    public void Count(bool success) => Interlocked.Increment(ref success ? ref _succeeded : ref _failed);

    /// <summary>What the process that this one has replaced had counted.</summary>
    public void Add(long succeeded, long failed)
    {
        Interlocked.Add(ref _succeeded, succeeded);
        Interlocked.Add(ref _failed, failed);
    }
}
