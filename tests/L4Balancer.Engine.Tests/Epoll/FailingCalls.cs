using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Lets one system call fail while it is installed, or a given number of times, and counts the calls.</summary>
internal sealed class FailingCalls(SystemCall call, Errno error, int times = int.MaxValue) : SystemFault
{
    private int _count;

    /// <summary>Calls that were asked about, failed or not.</summary>
    public int Count => Volatile.Read(ref _count);

    public override Errno Before(SystemCall asked, int descriptor) =>
        asked == call && Interlocked.Increment(ref _count) <= times ? error : Errno.None;
}
