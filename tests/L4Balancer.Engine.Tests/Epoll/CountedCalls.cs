using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Lets nothing fail, and counts one system call.</summary>
internal sealed class CountedCalls(SystemCall call) : SystemFault
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public override Errno Before(SystemCall asked, int descriptor)
    {
        if (asked == call)
        {
            Interlocked.Increment(ref _count);
        }

        return Errno.None;
    }
}
