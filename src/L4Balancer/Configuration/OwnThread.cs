namespace L4Balancer.Configuration;

/// <summary>
/// Runs a read that may block for ever (a network file system, a pipe without a writer) on a thread of its own: it cannot be interrupted, but
/// the caller can stop to wait for it, and the process can end.
/// </summary>
internal static class OwnThread
{
    /// <param name="name">Of the thread, at most 15 characters (prctl(2), PR_SET_NAME).</param>
    /// <returns>Completes with the result or the exception of the read; the caller bounds how long it waits.</returns>
    public static Task<T> RunAsync<T>(string name, Func<T> read)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() => Run(done, read)) { Name = name, IsBackground = true }.Start();
        return done.Task;
    }

    private static void Run<T>(TaskCompletionSource<T> done, Func<T> read)
    {
        try
        {
            done.SetResult(read());
        }
        catch (Exception e)
        {
            done.SetException(e);
        }
    }
}
