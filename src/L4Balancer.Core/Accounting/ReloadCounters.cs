namespace L4Balancer.Core.Accounting;

/// <summary>Results of the reloads of this process. Any thread may count and read.</summary>
public sealed class ReloadCounters
{
    private long _succeeded;
    private long _failed;

    /// <summary>Successful reloads, including those that found nothing to change.</summary>
    public long Succeeded => Volatile.Read(ref _succeeded);

    public long Failed => Volatile.Read(ref _failed);

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
