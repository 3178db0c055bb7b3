namespace L4Balancer.Engine.Linux;

/// <summary>The system calls that a test can make fail.</summary>
internal enum SystemCall
{
    Accept,
    Socket,
    Connect,
    Pipe,
    SpliceIn,
    SpliceOut,
    Send,
    Recv,
    EpollAdd,
    EpollCreate,
    EpollWait,
    EventFd,
}

/// <summary>
/// Lets tests make system calls fail as on a loaded kernel. Nothing is installed outside tests; the cost is one load and one branch.
/// </summary>
internal abstract class SystemFault
{
    /// <summary>The instance in force for the whole process, or null.</summary>
    public static SystemFault? Installed { get; set; }

    /// <summary>Called before each system call, on the calling thread.</summary>
    /// <returns>The errno to fail with, or <see cref="Errno.None"/> to proceed.</returns>
    public abstract Errno Before(SystemCall call, int descriptor);
}
