namespace L4Balancer.Core.Accounting;

/// <summary>Counters of the whole process, over all listeners. Any thread may call any member.</summary>
public sealed class BalancerState
{
    private int _open;
    private long _lastId;
    private long _adminAuthFailures;

    /// <summary>Pending and active connections, limited by <c>[balancer] max_connections</c>.</summary>
    public int Open => Volatile.Read(ref _open);

    public ReloadCounters Reloads { get; } = new();

    public UpgradeCounters Upgrades { get; } = new();

    /// <summary>Requests to the admin API that were refused because of a wrong token.</summary>
    public long AdminAuthFailures => Volatile.Read(ref _adminAuthFailures);

    public ConnectReports ConnectReports { get; } = new();

    internal void WriteTo(CounterSheet sheet)
    {
        sheet["admin_auth_failures"] = AdminAuthFailures;
        Reloads.WriteTo(sheet);
        Upgrades.WriteTo(sheet);
    }

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _adminAuthFailures, counted["admin_auth_failures"]);
        Reloads.Add(counted);
        Upgrades.Add(counted);
    }

    /// <returns>The number of open connections, including this one.</returns>
    public int CountAccepted() => Interlocked.Increment(ref _open);

    public void CountAdminAuthFailure() => Interlocked.Increment(ref _adminAuthFailures);

    public void CountEnded() => Interlocked.Decrement(ref _open);

    /// <summary>Returns an id that is unique within the process; ids start at 1.</summary>
    public ulong NextId() => (ulong)Interlocked.Increment(ref _lastId);

    /// <summary>The id given last; 0 before the first.</summary>
    public ulong LastId => (ulong)Volatile.Read(ref _lastId);

    /// <summary>Makes later ids greater than this one, which another process has given; no effect if they are already.</summary>
    public void ContinueAfter(ulong id)
    {
        long last = Volatile.Read(ref _lastId);
        while ((ulong)last < id)
        {
            long seen = Interlocked.CompareExchange(ref _lastId, (long)id, last);
            if (seen == last)
            {
                return;
            }

            last = seen;
        }
    }
}
