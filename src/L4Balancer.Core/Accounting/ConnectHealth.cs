namespace L4Balancer.Core.Accounting;

/// <summary>
/// Passive health of one backend: the number of consecutive failed connects of clients, and whether one trial connection is allowed
/// although the backend is down. Any thread counts connects. One writer (the control plane) acts on them and receives one event per
/// change.
/// </summary>
public sealed class ConnectHealth
{
    private const int Untold = 0;
    private const int ToldOfFailing = 1;
    private const int ToldOfWorking = 2;

    private int _failedInARow;
    private int _told;
    private int _epoch;
    private volatile string _lastFault = "";

    // 0: no trial. Positive: trial of this number is free. Negative: a connection has taken it. The number lets a late return detect
    // that its trial is no longer current.
    private int _trial;
    private int _trials;

    /// <summary>Grows with each new address: what a connect to an earlier one comes to does not count.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>Failed connects since the last successful one.</summary>
    public int FailedInARow => Volatile.Read(ref _failedInARow);

    /// <summary>A short reason for the latest failure.</summary>
    public string LastFault => _lastFault;

    /// <summary>Whether a trial connection is allowed and no connection has taken it yet.</summary>
    public bool IsTrialFree => Volatile.Read(ref _trial) > 0;

    /// <summary>What another process has counted. Before the first connect is counted here.</summary>
    /// <param name="isTold">Whether its control plane has acted on the failures.</param>
    internal void Continue(int failedInARow, string lastFault, bool isTold)
    {
        _lastFault = lastFault;
        Volatile.Write(ref _failedInARow, failedInARow);
        Volatile.Write(ref _told, isTold ? ToldOfFailing : Untold);
    }

    /// <summary>Whether a failure was reported, and nothing since.</summary>
    internal bool IsTold => Volatile.Read(ref _told) == ToldOfFailing;

    /// <param name="trial">The result of <see cref="TryTakeTrial"/>; 0 if the connection is not a trial.</param>
    /// <returns>The event to report to the control plane.</returns>
    public PassiveHealthEvent CountSucceeded(int trial)
    {
        // Read first, as it is nearly always zero: a write by every connection would move the cache line between processors.
        bool hadFailed = Volatile.Read(ref _failedInARow) != 0 && Interlocked.Exchange(ref _failedInARow, 0) != 0;
        if (trial != 0)
        {
            EndTrial(trial);
            return PassiveHealthEvent.Working;
        }

        return hadFailed && Interlocked.CompareExchange(ref _told, ToldOfWorking, ToldOfFailing) == ToldOfFailing
            ? PassiveHealthEvent.Working : PassiveHealthEvent.None;
    }

    /// <param name="fault">A short reason.</param>
    /// <param name="most">Consecutive failures after which an event is reported; 0 means never.</param>
    /// <param name="trial">The result of <see cref="TryTakeTrial"/>; 0 if the connection is not a trial.</param>
    /// <returns>The event to report to the control plane.</returns>
    public PassiveHealthEvent CountFailed(string fault, int most, int trial)
    {
        _lastFault = fault;
        int inARow = Interlocked.Increment(ref _failedInARow);
        if (trial != 0)
        {
            EndTrial(trial);
            return PassiveHealthEvent.TrialFailed;
        }

        return most > 0 && inARow >= most && Volatile.Read(ref _told) == Untold
            && Interlocked.CompareExchange(ref _told, ToldOfFailing, Untold) == Untold
            ? PassiveHealthEvent.Failing : PassiveHealthEvent.None;
    }

    /// <summary>Takes the trial; exactly one caller succeeds.</summary>
    /// <returns>The trial's number; 0 if there is no trial or another connection has it.</returns>
    public int TryTakeTrial()
    {
        int free = Volatile.Read(ref _trial);
        return free > 0 && Interlocked.CompareExchange(ref _trial, -free, free) == free ? free : 0;
    }

    /// <summary>
    /// Returns a trial without a result (the connection left, or the balancer lacked a resource), so that the next connection can take
    /// it.
    /// </summary>
    public void ReturnTrial(int trial) => Interlocked.CompareExchange(ref _trial, trial, -trial);

    /// <summary>Allows one trial connection. Only the one writer calls this.</summary>
    public void AllowTrial() => Volatile.Write(ref _trial, ++_trials);

    /// <summary>Ends the permission for a trial connection. Only the one writer calls this.</summary>
    public void WithdrawTrial() => Volatile.Write(ref _trial, 0);

    /// <summary>
    /// Rejects the reported event, so that the next failure above the threshold is reported again. Only the one writer calls this.
    /// </summary>
    public void Dismiss() => Volatile.Write(ref _told, Untold);

    /// <summary>Restarts counting for a backend that is up. Only the one writer calls this.</summary>
    public void Reset()
    {
        WithdrawTrial();
        Volatile.Write(ref _failedInARow, 0);
        Dismiss();
    }

    /// <summary>Restarts counting for another address of the backend. Only the one writer calls this.</summary>
    public void BeginEpoch()
    {
        Volatile.Write(ref _epoch, _epoch + 1);
        Reset();
    }

    private void EndTrial(int trial) => Interlocked.CompareExchange(ref _trial, 0, -trial);
}
