using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// Probes the backends of the published snapshot by Core's schedule and reports the results; it decides nothing. One loop, one timer and
/// one agenda serve all backends; every event (end of a probe, timer, snapshot) only wakes the loop. Any thread may call.
/// </summary>
public sealed class Prober : IAsyncDisposable, IThreadPoolWorkItem
{
    /// <summary>Maximum number of descriptors that probing uses.</summary>
    public const int MostDescriptors = 1000;

    /// <summary>Minimum sleep of the loop, so that many backends share one wake-up.</summary>
    internal static readonly TimeSpan Granularity = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// A probe that is due this soon is started at once. The runtime's timers count in ticks of up to four milliseconds and fire that much too early;
    /// without this most probes would cost a second wake-up.
    /// </summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(5);

    /// <summary>A deadline that is looked at this much later than it passed proves nothing: this process stood still meanwhile.</summary>
    private static readonly TimeSpan LateBy = TimeSpan.FromMilliseconds(100);

    /// <summary>How often the deadline of one probe is moved by its timeout for such a reason. Then the probe is inconclusive.</summary>
    private const int MostExtensions = 3;

    private static readonly TimeSpan LongestSleep = TimeSpan.FromDays(1);

    private readonly TimeProvider _clock;
    private readonly Action<ProbeReport> _report;
    private readonly ITimer _timer;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Any thread adds; the loop removes.
    private readonly ConcurrentQueue<Probe> _ended = new();
    private readonly ConcurrentQueue<BackendState> _repaced = new();
    private RoutingSnapshot? _published;
    private volatile bool _stopping;

    /// <summary>Set by the timer, cleared by the loop.</summary>
    private volatile bool _timerFired;

    /// <summary>Set by the loop while a target waits for one of <see cref="MostInFlight"/> places.</summary>
    private volatile bool _awaitsPlace;
    private int _wakeUps;
    private int _closingCount;

    // Used by the loop only.
    private readonly Agenda _agenda = new();
    private readonly ProbeRoster _roster;
    private readonly Queue<ProbeTarget> _due = new();
    private readonly Stack<Probe> _idle = new();
    private readonly ClosingHandshakes _closing = new();
    private Instant _timerDue = Instant.Never;
    private readonly Action<Probe> _onEnded;
    private int _inFlight;

    /// <param name="random">Used by the prober alone, or thread-safe.</param>
    /// <param name="report">
    /// Called with the result of each probe, one call at a time, on a thread-pool thread; must not throw. A call that begins after
    /// <see cref="Publish"/> has returned refers to that snapshot; there are no calls after <see cref="DisposeAsync"/> has completed.
    /// </param>
    public Prober(TimeProvider clock, Random random, Action<ProbeReport> report)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _report = report;
        _roster = new ProbeRoster(_agenda, random);
        _onEnded = OnEnded;
        _timer = clock.CreateTimer(static prober => ((Prober)prober!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Maximum number of probes in flight; further ones are delayed.</summary>
    internal int MostInFlight { get; init; } = MostDescriptors;

    /// <summary>Includes probes that were cut short or are in their closing handshake, until their socket is closed.</summary>
    internal int InFlight => Volatile.Read(ref _inFlight) + Volatile.Read(ref _closingCount);

    /// <summary>
    /// Probes the backends of this snapshot from now on. Backends that were probed before (the same <see cref="BackendState"/>) keep their
    /// schedule and a probe in flight; the probe of a removed backend is dropped without a report.
    /// </summary>
    public void Publish(RoutingSnapshot snapshot)
    {
        Volatile.Write(ref _published, snapshot);
        WakeUp();
    }

    /// <summary>
    /// Call after the probe interval of a backend (<see cref="HealthCounters.Pace"/>) has changed: reschedules its next probe.
    /// </summary>
    public void Replan(BackendState backend)
    {
        _repaced.Enqueue(backend);
        WakeUp();
    }

    /// <summary>Cuts probes in flight short. Completes after a report that is running. Must not be awaited inside a report.</summary>
    public ValueTask DisposeAsync()
    {
        _stopping = true;
        WakeUp();
        return new ValueTask(_stopped.Task);
    }

    /// <summary>The loop: runs until every wake-up that arrived meanwhile is handled. At most one thread executes it at a time.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        int served;
        do
        {
            served = Volatile.Read(ref _wakeUps);
            Turn();
        }
        while (Interlocked.Add(ref _wakeUps, -served) != 0);
    }

    // The runtime calls its timers on a thread of the pool already: the loop runs there, without a second one being woken.
    private void OnTimer()
    {
        _timerFired = true;
        if (!Thread.CurrentThread.IsThreadPoolThread)
        {
            WakeUp();
        }
        else if (Interlocked.Increment(ref _wakeUps) == 1)
        {
            ((IThreadPoolWorkItem)this).Execute();
        }
    }

    private void WakeUp()
    {
        if (Interlocked.Increment(ref _wakeUps) == 1)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private void OnEnded(Probe probe)
    {
        _ended.Enqueue(probe);
        WakeUp();
    }

    private void Turn()
    {
        FollowSnapshot();
        while (_ended.TryDequeue(out Probe? probe))
        {
            Conclude(probe);
        }

        if (_stopping)
        {
            Stop();
            return;
        }

        Instant now = Instant.Now(_clock);
        while (_repaced.TryDequeue(out BackendState? backend))
        {
            Replan(backend, now);
        }

        ServeAgenda(now);
        StartDue();
        SetTimer(now);
    }

    // The flag is set before the last look at the places: a closing handshake that ends meanwhile either frees a place that this look
    // sees, or sees the flag.
    private void StartDue()
    {
        _awaitsPlace = true;
        Interlocked.MemoryBarrier();
        while (InFlight < MostInFlight && _due.TryDequeue(out ProbeTarget? target))
        {
            Start(target);
        }

        _awaitsPlace = _due.Count > 0;
    }

    private void SetTimer(Instant now)
    {
        Instant next = _closing.CutLate(now);
        if (_agenda.TryNext(out Instant look) && look < next)
        {
            next = look;
        }

        if (next == Instant.Never || (next == _timerDue && !_timerFired))
        {
            return;
        }

        _timerFired = false;
        _timerDue = next;
        TimeSpan sleep = next - now;
        _timer.Change(sleep < Granularity ? Granularity : sleep < LongestSleep ? sleep : LongestSleep, Timeout.InfiniteTimeSpan);
    }

    private void ServeAgenda(Instant now)
    {
        while (_agenda.TryTakeDue(now, Tolerance, out ProbeTarget? target, out Instant due))
        {
            if (target.Running is null)
            {
                _due.Enqueue(target);
                continue;
            }

            Probe probe = target.Running;
            bool proves = now - due <= LateBy && !probe.IsBehind;
            if (!proves && probe.Extensions++ < MostExtensions)
            {
                _agenda.Set(target, now.After(target.Plan.Settings.Timeout));
                continue;
            }

            ProbeVerdict verdict = proves ? probe.TooLate(target.Plan.Settings.Timeout) : ProbeVerdict.TooBusy();
            probe.Abandon();
            Answer(target, verdict);
        }
    }

    private void Start(ProbeTarget target)
    {
        if (target.IsGone)
        {
            return;
        }

        target.StartedAt = Instant.Now(_clock);
        Probe probe = _idle.TryPop(out Probe? used) ? used : new Probe(_onEnded);
        if (probe.Start(target) is { } verdict)
        {
            _idle.Push(probe);
            Answer(target, verdict);
            return;
        }

        _inFlight++;
        target.Running = probe;
        _agenda.Set(target, target.StartedAt.After(target.Plan.Settings.Timeout));
    }

    private void Conclude(Probe probe)
    {
        _inFlight--;
        ProbeTarget? target = probe.Target;
        ProbeVerdict verdict = probe.Finish(out Conversation? closing);
        _idle.Push(probe);
        if (closing is not null)
        {
            Interlocked.Increment(ref _closingCount);
            _closing.Add(closing, Instant.Now(_clock));
            _ = CloseAsync(closing);
        }

        if (target is not null)
        {
            Answer(target, verdict);
        }
    }

    private void Answer(ProbeTarget target, ProbeVerdict verdict)
    {
        target.Running = null;
        FollowSnapshot();
        if (target.IsGone || _stopping)
        {
            return;
        }

        if (!target.TryConclude(ref verdict, out HostAddress address))
        {
            _due.Enqueue(target);
            return;
        }

        _report(new ProbeReport(target.Pool, target.Backend, address, verdict.Outcome, verdict.Detail));
        Instant now = Instant.Now(_clock);
        Instant next = target.StartedAt + target.Plan.Schedule.Next(target.Backend.State.Health.Pace);
        _agenda.Set(target, next > now ? next : now);
    }

    // Runs beside the loop and is not awaited; it counts towards the limit in flight, and the end of the prober waits for it.
    private async Task CloseAsync(Conversation closing)
    {
        try
        {
            await closing.CloseAsync().ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _closingCount);
            if (_awaitsPlace || _stopping)
            {
                WakeUp();
            }
        }
    }

    // Brings forward the first probe of a backend that its clients found dead, which the spread over the interval may have delayed.
    // Later probes move to the time that the new interval gives, sooner or later than planned.
    private void Replan(BackendState backend, Instant now)
    {
        if (_roster.TryGet(backend, out ProbeTarget? target))
        {
            Instant from = target.StartedAt == default ? now : target.StartedAt;
            Instant next = from + target.Plan.Schedule.Next(backend.Health.Pace);
            next = next > now ? next : now;
            if (target.StartedAt == default)
            {
                _agenda.Advance(target, next);
            }
            else if (target.IsWaiting)
            {
                _agenda.Set(target, next);
            }
        }
    }

    private void FollowSnapshot()
    {
        if (Volatile.Read(ref _published) is null || Interlocked.Exchange(ref _published, null) is not { } snapshot)
        {
            return;
        }

        _roster.Sync(snapshot, Instant.Now(_clock));
    }

    private void Stop()
    {
        _roster.Clear();
        _closing.CutAll();
        if (InFlight > 0)
        {
            return;
        }

        _timer.Dispose();
        while (_idle.TryPop(out Probe? probe))
        {
            probe.Dispose();
        }

        _stopped.TrySetResult();
    }
}
