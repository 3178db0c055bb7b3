namespace L4Balancer.Discovery;

/// <summary>
/// The pause before a store is asked again after a failure: it doubles, up to a limit, and each is between half of it and all of it, so that the
/// balancers of a fleet do not come back to a store at the same instant. One thread at a time.
/// </summary>
internal sealed class Backoff(Random random)
{
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private TimeSpan _next = First;

    public TimeSpan Next()
    {
        TimeSpan pause = _next;
        _next = _next * 2 < Longest ? _next * 2 : Longest;
        return pause * (0.5 + random.NextDouble() / 2);
    }

    /// <summary>The store has answered: the next failure is the first one again.</summary>
    public void Reset() => _next = First;
}
