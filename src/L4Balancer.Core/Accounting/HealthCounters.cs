using L4Balancer.Core.Health;

namespace L4Balancer.Core.Accounting;

/// <summary>Results of the probes of one backend. Any thread may count and read.</summary>
public sealed class HealthCounters
{
    private long _succeeded;
    private long _failed;
    private long _localErrors;
    private long _transitions;
    private volatile LastProbe? _last;
    private volatile ProbePace _pace;
    private volatile string _detail = "";

    public long Succeeded => Volatile.Read(ref _succeeded);

    public long Failed => Volatile.Read(ref _failed);

    /// <summary>Probes that were inconclusive because the balancer lacked a resource.</summary>
    public long LocalErrors => Volatile.Read(ref _localErrors);

    /// <summary>Changes between up, degraded and down.</summary>
    public long Transitions => Volatile.Read(ref _transitions);

    /// <summary>The latest probe; null before the first one has ended.</summary>
    public LastProbe? Last
    {
        get => _last;
        set => _last = value;
    }

    /// <summary>The interval until the next probe. One writer.</summary>
    public ProbePace Pace
    {
        get => _pace;
        set => _pace = value;
    }

    /// <summary>Why the backend is not up; empty if it is. One writer.</summary>
    public string Detail
    {
        get => _detail;
        set => _detail = value;
    }

    public void CountSucceeded() => Interlocked.Increment(ref _succeeded);

    public void CountFailed() => Interlocked.Increment(ref _failed);

    public void CountLocalError() => Interlocked.Increment(ref _localErrors);

    public void CountTransition() => Interlocked.Increment(ref _transitions);
}
