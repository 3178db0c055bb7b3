using L4Balancer.Engine.Linux;

namespace L4Balancer.Upgrade;

/// <summary>
/// The thread of an upgrade, made when the daemon starts. It is exempt from <see cref="Niceness.YieldToEventLoops"/>: a new process inherits the nice
/// value of the thread that starts it, and only root may lower that again, so its event loops would be as nice as a control plane for ever. And
/// while connections stand still, this thread must not wait behind clients and backends for a processor. Any thread.
/// </summary>
internal sealed class UpgradeThread
{
    /// <summary>Also its own lock and signal.</summary>
    private readonly Queue<Action> _work = new();

    /// <summary>Makes the thread, with the nice value of the caller.</summary>
    public UpgradeThread() => new Thread(RunAll) { Name = ThreadNames.Upgrade, IsBackground = true }.Start();

    /// <summary>Runs what blocks, one after the other.</summary>
    /// <returns>Completes with the result or the exception.</returns>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_work)
        {
            _work.Enqueue(() => Run(done, work));
            Monitor.Pulse(_work);
        }

        return done.Task;
    }

    private static void Run<T>(TaskCompletionSource<T> done, Func<T> work)
    {
        try
        {
            done.SetResult(work());
        }
        catch (Exception e)
        {
            done.SetException(e);
        }
    }

    private void RunAll()
    {
        while (true)
        {
            Action next;
            lock (_work)
            {
                while (_work.Count == 0)
                {
                    Monitor.Wait(_work);
                }

                next = _work.Dequeue();
            }

            next();
        }
    }
}
