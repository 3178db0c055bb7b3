using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Lets one system call throw: a fault in the engine's own code, at a place that a test can reach.</summary>
/// <param name="times">How often.</param>
internal sealed class ThrowingCalls(SystemCall call, int times = int.MaxValue) : SystemFault
{
    private int _count;

    /// <summary>Calls that were asked about, whether they threw or not.</summary>
    public int Count => Volatile.Read(ref _count);

    public override Errno Before(SystemCall asked, int descriptor) => asked != call || Interlocked.Increment(ref _count) > times
        ? Errno.None
        : throw new InvalidOperationException($"a fault of the test in {call}");
}
