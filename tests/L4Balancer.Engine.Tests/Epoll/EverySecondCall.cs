using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Lets one system call fail every other time, of one descriptor or of all.</summary>
internal sealed class EverySecondCall(SystemCall call, Errno error, int? descriptor = null) : SystemFault
{
    private int _count;

    public override Errno Before(SystemCall asked, int by) =>
        asked == call && (descriptor ?? by) == by && Interlocked.Increment(ref _count) % 2 == 1 ? error : Errno.None;
}
