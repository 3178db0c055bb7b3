using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Accounting;

/// <summary>Results of the probes of one backend. Any thread may count and read.</summary>
public sealed class HealthCounters
{
    private const int Undecided = -1;

    private long _succeeded;
    private long _failed;
    private long _localErrors;
    private long _transitions;
    private long _lastTransition;
    private volatile LastProbe? _last;
    private volatile ProbePace _pace;
    private volatile bool _keepsAddress;
    private volatile string _detail = "";
    private volatile int _byProbes = Undecided;

    public long Succeeded => Volatile.Read(ref _succeeded);

    public long Failed => Volatile.Read(ref _failed);

    /// <summary>Probes that were inconclusive because the balancer lacked a resource.</summary>
    public long LocalErrors => Volatile.Read(ref _localErrors);

    /// <summary>Changes between up, degraded and down; the time of checking in between does not count.</summary>
    public long Transitions => Volatile.Read(ref _transitions);

    /// <summary>When the latest of <see cref="Transitions"/> was; zero before the first.</summary>
    public Instant LastTransition => new(Volatile.Read(ref _lastTransition));

    /// <summary>The latest probe of the current address; null before the first one has ended.</summary>
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

    /// <summary>What the balancer's own probes have found out; null if they have not decided, or something else has since. One writer.</summary>
    public HealthState? ByProbes
    {
        get => _byProbes is int state and not Undecided ? (HealthState)state : null;
        set => _byProbes = value is { } state ? (int)state : Undecided;
    }

    /// <inheritdoc cref="HealthTracker.KeepsAddress"/>
    public bool KeepsAddress
    {
        get => _keepsAddress;
        set => _keepsAddress = value;
    }

    /// <summary>Why the backend is not up; empty if it is. One writer.</summary>
    public string Detail
    {
        get => _detail;
        set => _detail = value;
    }

    internal void WriteTo(CounterSheet sheet)
    {
        (sheet["probes_succeeded"], sheet["probes_failed"]) = (Succeeded, Failed);
        (sheet["probes_local_error"], sheet["transitions"]) = (LocalErrors, Transitions);
    }

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _succeeded, counted["probes_succeeded"]);
        Interlocked.Add(ref _failed, counted["probes_failed"]);
        Interlocked.Add(ref _localErrors, counted["probes_local_error"]);
        Interlocked.Add(ref _transitions, counted["transitions"]);
    }

    /// <summary>When the latest transition was in the process before this one.</summary>
    internal void ContinueAfter(Instant transition) =>
        Volatile.Write(ref _lastTransition, Math.Max(transition.Ticks, Volatile.Read(ref _lastTransition)));

    /// <summary>Counts the result of one probe.</summary>
    public void Count(ProbeOutcome outcome)
    {
        switch (outcome)
        {
            case ProbeOutcome.Success:
                Interlocked.Increment(ref _succeeded);
                break;
            case ProbeOutcome.LocalError:
                Interlocked.Increment(ref _localErrors);
                break;
            default:
                Interlocked.Increment(ref _failed);
                break;
        }
    }

    public void CountTransition(Instant now)
    {
        Volatile.Write(ref _lastTransition, now.Ticks);
        Interlocked.Increment(ref _transitions);
    }
}
