namespace L4Balancer.Stores;

/// <summary>
/// The growing pause between attempts at a store that fails: it doubles from <see cref="Shortest"/> to <see cref="Longest"/>, and is cut by up to
/// a half at random, so that many balancers do not ask a returning store at the same moment. For one thread at a time.
/// </summary>
internal sealed class Backoff(TimeProvider clock, Random random)
{
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(200);
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private TimeSpan _next = Shortest;

    /// <summary>After a success.</summary>
    public void Reset() => _next = Shortest;

    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public Task PauseAsync(CancellationToken stop)
    {
        TimeSpan pause = Next();
        return Task.Delay(pause, clock, stop);
    }

    /// <summary>The pause before the next attempt.</summary>
    public TimeSpan Next()
    {
        TimeSpan pause = _next * (1 - (random.NextDouble() / 2));
        _next = _next * 2 < Longest ? _next * 2 : Longest;
        return pause;
    }
}
