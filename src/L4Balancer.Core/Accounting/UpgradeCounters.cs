namespace L4Balancer.Core.Accounting;

/// <summary>Results of upgrades: the old process counts one that failed, the new one that it has taken over. Any thread may count and read.</summary>
public sealed class UpgradeCounters
{
    private long _succeeded;
    private long _failed;

    public long Succeeded => Volatile.Read(ref _succeeded);

    public long Failed => Volatile.Read(ref _failed);

    public void Count(bool success) => Interlocked.Increment(ref success ? ref _succeeded : ref _failed);

    internal void WriteTo(CounterSheet sheet) => (sheet["upgrades_succeeded"], sheet["upgrades_failed"]) = (Succeeded, Failed);

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _succeeded, counted["upgrades_succeeded"]);
        Interlocked.Add(ref _failed, counted["upgrades_failed"]);
    }
}
