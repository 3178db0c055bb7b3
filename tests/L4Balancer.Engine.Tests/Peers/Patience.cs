using System.Diagnostics;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>Every wait of these tests has a deadline: an engine that hangs fails in seconds.</summary>
internal static class Patience
{
    /// <summary>Far beyond what a working engine needs, so that a busy machine fails nothing.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(2);

    public static Task Soon(this Task task) => task.WaitAsync(Limit);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(Limit);

    public static ValueTask<T> Soon<T>(this ValueTask<T> task) => task.IsCompleted ? task : new ValueTask<T>(task.AsTask().WaitAsync(Limit));

    /// <summary>Looks again and again until the condition holds.</summary>
    public static async Task Until(Func<bool> condition, string what, TimeSpan? limit = null)
    {
        long start = Stopwatch.GetTimestamp();
        using var steps = new PeriodicTimer(Step);
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > (limit ?? Limit))
            {
                Assert.Fail($"Waited {(limit ?? Limit).TotalSeconds} s in vain: {what}.");
            }

            await steps.WaitForNextTickAsync();
        }
    }

    /// <summary>Where the passing of time itself is what a test is about: a reader that comes late, a quiet spell.</summary>
    public static Task Elapse(TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        return Until(() => Stopwatch.GetElapsedTime(start) >= time, "time passes", time + Limit);
    }

    /// <summary>Until a number has stayed the same for a moment: whatever drove it has stopped, or is blocked.</summary>
    public static async Task UntilStill(Func<long> number, TimeSpan moment)
    {
        long last = number();
        long since = Stopwatch.GetTimestamp();
        await Until(
            () =>
            {
                long now = number();
                if (now != last)
                {
                    last = now;
                    since = Stopwatch.GetTimestamp();
                }

                return Stopwatch.GetElapsedTime(since) >= moment;
            },
            "nothing moves any more",
            TimeSpan.FromSeconds(30));
    }
}
