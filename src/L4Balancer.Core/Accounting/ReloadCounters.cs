namespace L4Balancer.Core.Accounting;

/// <summary>Results of the reloads of this process. Any thread may count and read.</summary>
public sealed class ReloadCounters
{
    private long _succeeded;
    private long _failed;

    /// <summary>Successful reloads, including those that found nothing to change.</summary>
    public long Succeeded => Volatile.Read(ref _succeeded);

    public long Failed => Volatile.Read(ref _failed);

    internal void WriteTo(CounterSheet sheet) => (sheet["reloads_succeeded"], sheet["reloads_failed"]) = (Succeeded, Failed);

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _succeeded, counted["reloads_succeeded"]);
        Interlocked.Add(ref _failed, counted["reloads_failed"]);
    }

    public void Count(bool success)
    {
        if (success)
        {
            Interlocked.Increment(ref _succeeded);
        }
        else
        {
            Interlocked.Increment(ref _failed);
        }
    }
}
