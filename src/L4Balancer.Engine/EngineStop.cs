using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine;

/// <summary>The steps of an engine's stop, in the order in which <see cref="EngineStop"/> takes them.</summary>
internal interface IStopSteps
{
    /// <summary>Stops accepting; completes when no thread accepts any more.</summary>
    Task EndAcceptingAsync();

    /// <summary>Closes all connections in good order; completes when none is left.</summary>
    /// <param name="atOnce">Ends the paced closes; what is left is reset by <see cref="AbortAll"/>.</param>
    Task CloseAllAsync(TimeSpan grace, CancellationToken atOnce);

    /// <summary>Resets both peers of every connection that is left.</summary>
    void AbortAll();

    /// <summary>Describes what is left, for the log. Completes soon, even if an event loop hangs.</summary>
    /// <param name="most">Connections to describe at most.</param>
    Task<IReadOnlyList<string>> DescribeRestAsync(int most);
}

/// <summary>
/// Stops an engine in bounded time: in good order within the grace and the time that a close may take, then by resets, and if something is
/// left even then (a fault, or a thread that hangs), it is logged and the stop ends nevertheless.
/// </summary>
internal static class EngineStop
{
    /// <summary>Time for a step that needs no peer: the end of accepting, resets, the end of a thread.</summary>
    public static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    /// <summary>A framework timer is limited to 49 days; longer waits are split.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    private const int MostDescribed = 10;

    /// <param name="atOnce">Resets what is left of the connections.</param>
    public static async Task RunAsync(IStopSteps engine, TimeSpan grace, TimeProvider clock, ILogger log, CancellationToken atOnce)
    {
        await EndsWithinAsync(engine.EndAcceptingAsync(), Moment, clock, CancellationToken.None).ConfigureAwait(false);
        using var resetting = CancellationTokenSource.CreateLinkedTokenSource(atOnce);
        Task closing = engine.CloseAllAsync(grace, resetting.Token);
        if (await EndsWithinAsync(closing, grace + ConnectionEnd.Grace + Moment, clock, atOnce).ConfigureAwait(false))
        {
            return;
        }

        await resetting.CancelAsync().ConfigureAwait(false);
        engine.AbortAll();
        if (!await EndsWithinAsync(closing, Moment, clock, CancellationToken.None).ConfigureAwait(false))
        {
            IReadOnlyList<string> rest = await engine.DescribeRestAsync(MostDescribed).ConfigureAwait(false);
            log.StopLeavesConnections(string.Join("; ", rest), closing.Exception);
        }
    }

    /// <summary>Waits for a task, which may also fail, for at most this time.</summary>
    /// <returns>Whether the task has completed without an exception.</returns>
    public static async Task<bool> EndsWithinAsync(Task task, TimeSpan limit, TimeProvider clock, CancellationToken cancel)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Instant end = Instant.Now(clock) + limit;
        for (TimeSpan left = limit; !task.IsCompleted && left > TimeSpan.Zero && !cancel.IsCancellationRequested; left = end - Instant.Now(clock))
        {
            // Rounded up to a whole millisecond, which is the unit of framework timers: one of 0 would make the loop spin.
            TimeSpan wait = left < LongestWait ? TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds)) : LongestWait;
            await Task.WhenAny(task, Task.Delay(wait, clock, over.Token)).ConfigureAwait(false);
        }

        await over.CancelAsync().ConfigureAwait(false);
        return task.IsCompletedSuccessfully;
    }

    /// <summary>One connection in <see cref="IStopSteps.DescribeRestAsync"/>.</summary>
    public static string Describe(in ConnectionRecord record)
    {
        string backend = record.Backend is { } known ? $", backend {known.Pool}/{known.Name}" : "";
        return $"connection {record.Id} from {record.Tuple.Source} ({(record.IsEstablished ? "established" : "being set up")}{backend})";
    }
}
