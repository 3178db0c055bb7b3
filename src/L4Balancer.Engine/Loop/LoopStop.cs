using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Shedding;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The end of an engine of event loops, step by step; <see cref="EngineStop"/> has their order and their time. Any thread.
/// </summary>
/// <param name="endAccepting">Ends accepting, and closes what listens.</param>
internal sealed class LoopStop(IReadOnlyList<Worker> workers, Func<Task> endAccepting, Shedder shedding, TimeProvider clock) : IStopSteps
{
    /// <summary>How long a worker that is asked what is left may take.</summary>
    private static readonly TimeSpan Answering = TimeSpan.FromMilliseconds(200);

    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _hasBegun;
    private volatile bool _isOver;

    /// <summary>Connections are being ended.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>Every event loop has ended.</summary>
    public bool IsOver => _isOver;

    public Task EndAcceptingAsync() => endAccepting();

    public async Task CloseAllAsync(TimeSpan grace, CancellationToken atOnce)
    {
        _hasBegun = true;
        CompleteIfEmpty();
        await CloseEvenlyAsync(grace, atOnce).ConfigureAwait(false);
        await _empty.Task.ConfigureAwait(false);
    }

    public void AbortAll() =>
        PostToAll(static (worker, index) => worker.Closer.Abort(ref worker.Slots[index], CloseReason.Shutdown));

    public async Task<IReadOnlyList<string>> DescribeRestAsync(int most)
    {
        // All at once: the time does not depend on the number of loops that hang.
        Task<List<string>>[] asked = [.. workers.Select(w => w.AskAsync(asking => ConnectionScan.Describe(asking, most), afterwards: []))];
        await EngineStop.EndsWithinAsync(Task.WhenAll(asked), Answering, clock, CancellationToken.None).ConfigureAwait(false);
        List<string> rest = [];
        foreach ((Worker worker, Task<List<string>> answer) in workers.Zip(asked))
        {
            if (answer.IsCompletedSuccessfully)
            {
                rest.AddRange(await answer.ConfigureAwait(false));
            }
            else
            {
                rest.Add($"event loop {worker.Number} does not respond (connections: {worker.Assigned})");
            }
        }

        return rest;
    }

    /// <summary>The last connection has ended: a stop that waits for that goes on.</summary>
    public void CompleteIfEmpty()
    {
        if (_hasBegun && workers.Sum(w => w.Assigned) == 0)
        {
            _empty.TrySetResult();
        }
    }

    // Closes connections being set up at once, and the established ones evenly over the grace or until none is left.
    private async Task CloseEvenlyAsync(TimeSpan grace, CancellationToken atOnce)
    {
        PostToAll(static (worker, index) =>
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.Setup >= 0)
            {
                worker.Closer.Close(ref slot, CloseReason.Shutdown);
            }
        });
        await shedding.ShedUntilAsync(grace, _empty.Task, atOnce).ConfigureAwait(false);
        if (!atOnce.IsCancellationRequested)
        {
            PostToAll(static (worker, index) => worker.Closer.Close(ref worker.Slots[index], CloseReason.Shutdown));
        }
    }

    /// <summary>Ends the event loops. A thread that hangs is left behind; it does not keep the process from ending.</summary>
    public void EndWorkers()
    {
        foreach (Worker worker in workers)
        {
            worker.Mailbox.TryPost(static w => w.Stop());
        }

        Instant end = Instant.Now(clock) + EngineStop.Moment;
        bool all = true;
        foreach (Worker worker in workers)
        {
            TimeSpan left = end - Instant.Now(clock);
            all &= worker.End(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }

        _isOver = all;
    }

    private void PostToAll(Action<Worker, int> act)
    {
        foreach (Worker worker in workers)
        {
            worker.Mailbox.TryPost(w => ForEachOpen(w, act));
        }
    }

    private static void ForEachOpen(Worker worker, Action<Worker, int> act)
    {
        for (int index = 0; index < worker.Slots.End; index++)
        {
            if (worker.Slots[index].State != SlotState.Free)
            {
                worker.Guard.Run(act, index, index);
            }
        }
    }
}
