namespace L4Balancer.Upgrade;

/// <summary>
/// Waits for asynchronous code whose continuations run on the waiting thread, as far as they capture its context. Otherwise they would run on threads
/// of the pool, which have the nice value of the control plane, and on a busy machine each of them would wait for a processor.
/// </summary>
internal sealed class OnThisThread : SynchronizationContext
{
    /// <summary>Also its own lock and signal.</summary>
    private readonly Queue<(SendOrPostCallback Call, object? State)> _posted = new();
    private bool _isOver;

    private OnThisThread()
    {
    }

    /// <summary>Runs it to its end. Blocks.</summary>
    public static T Wait<T>(Func<Task<T>> begin)
    {
        SynchronizationContext? before = Current;
        var own = new OnThisThread();
        SetSynchronizationContext(own);
        try
        {
            Task<T> task = begin();
            own.RunUntil(task);
            return task.GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(before);
            own.Leave();
        }
    }

    /// <inheritdoc cref="Wait{T}"/>
    public static void Wait(Func<Task> begin) => Wait(async () =>
    {
        await begin();
        return true;
    });

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_posted)
        {
            if (!_isOver)
            {
                _posted.Enqueue((d, state));
                Monitor.Pulse(_posted);
                return;
            }
        }

        // Nothing waits any more for what still goes on.
        ThreadPool.QueueUserWorkItem(static call => call.Call(call.State), (Call: d, State: state), preferLocal: false);
    }

    private void RunUntil(Task task)
    {
        if (!task.IsCompleted)
        {
            task.ContinueWith(
                static (_, own) => ((OnThisThread)own!).Post(static _ => { }, null), this, CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        while (!task.IsCompleted)
        {
            (SendOrPostCallback call, object? state) = Take();
            call(state);
        }
    }

    private (SendOrPostCallback Call, object? State) Take()
    {
        lock (_posted)
        {
            while (_posted.Count == 0)
            {
                Monitor.Wait(_posted);
            }

            return _posted.Dequeue();
        }
    }

    private void Leave()
    {
        lock (_posted)
        {
            _isOver = true;
        }

        foreach ((SendOrPostCallback call, object? state) in _posted)
        {
            Post(call, state);
        }
    }
}
