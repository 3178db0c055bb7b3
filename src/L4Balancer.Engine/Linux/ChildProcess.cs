namespace L4Balancer.Engine.Linux;

/// <summary>
/// A child of this process that sends no signal when it ends, by its id: it is not reused before <see cref="HasEnded"/> has seen its end.
/// </summary>
internal static unsafe class ChildProcess
{
    /// <summary>Whether it has ended, or is no child of this process (any more). After true the id must not be used again.</summary>
    public static bool HasEnded(int id)
    {
        int waited;
        do
        {
            waited = Libc.waitpid(id, null, Libc.WNOHANG | Libc.WALL);
        }
        while (waited < 0 && SysResult.From(waited).Errno == Errno.EINTR);
        return waited != 0;
    }

    /// <summary>Ends it (SIGKILL), and waits until it has ended.</summary>
    public static void End(int id)
    {
        _ = Libc.kill(id, Libc.SIGKILL);
        int waited;
        do
        {
            waited = Libc.waitpid(id, null, Libc.WALL);
        }
        while (waited < 0 && SysResult.From(waited).Errno == Errno.EINTR);
    }
}
