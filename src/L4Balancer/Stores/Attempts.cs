namespace L4Balancer.Stores;

/// <summary>
/// Attempts at a store that go on for ever. After one that has failed comes a pause; it doubles from <see cref="Shortest"/> to
/// <see cref="Longest"/>, and is cut by up to a half at random, so that many balancers do not ask a returning store at the same moment. For
/// one caller at a time.
/// </summary>
internal sealed class Attempts(TimeProvider clock, Random random)
{
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(200);
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private TimeSpan _next = Shortest;

    /// <summary>Returns only after a cancellation, without an exception.</summary>
    /// <param name="attempt">Whether it went well: then the next follows at once. Throws for nothing but the cancellation.</param>
    public async Task RepeatAsync(Func<CancellationToken, Task<bool>> attempt, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                if (await attempt(stop))
                {
                    _next = Shortest;
                }
                else
                {
                    await Task.Delay(NextPause(), clock, stop);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end that was asked for.
        }
    }

    /// <summary>The pause before the next attempt.</summary>
    public TimeSpan NextPause()
    {
        TimeSpan pause = _next * (1 - (random.NextDouble() / 2));
        _next = _next * 2 < Longest ? _next * 2 : Longest;
        return pause;
    }
}
