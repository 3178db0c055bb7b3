namespace L4Balancer.Core.Accounting;

/// <summary>
/// What the connects of clients say of one backend: how many have failed in a row, and whether one may be let through although it is
/// down. Connects count from any thread; what they come to is decided by one writer, who is told once a change.
/// </summary>
public sealed class ConnectHealth
{
    private const int Untold = 0;
    private const int ToldOfFailing = 1;
    private const int ToldOfWorking = 2;

    private int _failedInARow;
    private int _told;
    private volatile string _lastFault = "";

    // 0: no trial. The number of the trial: it is free. Less than zero: somebody has it. By the number a late return finds that the
    // trial is not his any more.
    private int _trial;
    private int _trials;

    /// <summary>Failed connects since the last that succeeded.</summary>
    public int FailedInARow => Volatile.Read(ref _failedInARow);

    /// <summary>Why the latest that failed did, in a few words.</summary>
    public string LastFault => _lastFault;

    /// <summary>Whether one connection is to be let through, and nobody has come yet.</summary>
    public bool IsTrialFree => Volatile.Read(ref _trial) > 0;

    /// <param name="trial">From <see cref="TryTakeTrial"/>; 0 where it is none.</param>
    /// <returns>What is to be told.</returns>
    public ConnectNews CountSucceeded(int trial)
    {
        // Nearly always zero: a cell that every connection writes would go from processor to processor.
        bool hadFailed = Volatile.Read(ref _failedInARow) != 0 && Interlocked.Exchange(ref _failedInARow, 0) != 0;
        if (trial != 0)
        {
            EndTrial(trial);
            return ConnectNews.Working;
        }

        return hadFailed && Interlocked.CompareExchange(ref _told, ToldOfWorking, ToldOfFailing) == ToldOfFailing
            ? ConnectNews.Working : ConnectNews.None;
    }

    /// <param name="fault">Why, in a few words.</param>
    /// <param name="most">So many in a row are told of; 0: never.</param>
    /// <param name="trial">From <see cref="TryTakeTrial"/>; 0 where it is none.</param>
    /// <returns>What is to be told.</returns>
    public ConnectNews CountFailed(string fault, int most, int trial)
    {
        _lastFault = fault;
        int inARow = Interlocked.Increment(ref _failedInARow);
        if (trial != 0)
        {
            EndTrial(trial);
            return ConnectNews.TrialFailed;
        }

        return most > 0 && inARow >= most && Volatile.Read(ref _told) == Untold
            && Interlocked.CompareExchange(ref _told, ToldOfFailing, Untold) == Untold
            ? ConnectNews.Failing : ConnectNews.None;
    }

    /// <summary>Exactly one gets it.</summary>
    /// <returns>The trial's number, for whoever is let through; 0: somebody else has it, or there is none.</returns>
    public int TryTakeTrial()
    {
        int free = Volatile.Read(ref _trial);
        return free > 0 && Interlocked.CompareExchange(ref _trial, -free, free) == free ? free : 0;
    }

    /// <summary>Whoever was let through has left without an answer, or it was our own shortage: the next may try.</summary>
    public void ReturnTrial(int trial) => Interlocked.CompareExchange(ref _trial, trial, -trial);

    /// <summary>One connection may be let through. Only the one writer calls this.</summary>
    public void OfferTrial() => Volatile.Write(ref _trial, ++_trials);

    /// <summary>Nobody is let through any more. Only the one writer calls this.</summary>
    public void WithdrawTrial() => Volatile.Write(ref _trial, 0);

    /// <summary>What was told has not come true after all; the next failure too many is told again. Only the one writer calls this.</summary>
    public void Dismiss() => Volatile.Write(ref _told, Untold);

    /// <summary>The backend is up: counting begins anew. Only the one writer calls this.</summary>
    public void Reset()
    {
        WithdrawTrial();
        Volatile.Write(ref _failedInARow, 0);
        Dismiss();
    }

    private void EndTrial(int trial) => Interlocked.CompareExchange(ref _trial, 0, -trial);
}
