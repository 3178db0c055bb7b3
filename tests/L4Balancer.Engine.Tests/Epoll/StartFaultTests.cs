using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>An engine that gets no epoll instance, or no wake-up, for one of its threads does not start, and leaves nothing behind.</summary>
internal sealed class StartFaultTests() : EpollFixture(workers: 2)
{
    [TestCase("EpollCreate", 1)]
    [TestCase("EpollCreate", 2)]
    [TestCase("EventFd", 1)]
    [TestCase("EventFd", 2)]
    [TestCase("EpollAdd", 2)]
    public async Task What_the_kernel_refuses_at_the_start_is_a_failure_in_the_list(string call, int nth)
    {
        TestBackend backend = Backend();
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")), 1000));
        int descriptors = EngineSocket.CountDescriptors();
        var engine = (EpollEngine)NewEngine(new RecordedConnections());
        SystemFault.Installed = new NthCall(Enum.Parse<SystemCall>(call), Errno.EMFILE, nth);

        IReadOnlyList<ListenFailure> failures = engine.Start(snapshot);

        Assert.That(failures.Single().Message, Does.Contain("EMFILE").And.Contain("LimitNOFILE"));
        Assert.That((engine.Bound.Count, engine.Count), Is.EqualTo((0, 0)));
        await engine.PingLoopsAsync().Soon();
        await engine.DisposeAsync().AsTask().Soon();
        Assert.That(EngineSocket.CountDescriptors(), Is.EqualTo(descriptors).Within(2), "other tests have theirs");
    }

    private sealed class NthCall(SystemCall call, Errno error, int nth) : SystemFault
    {
        private int _count;

        public override Errno Before(SystemCall asked, int descriptor) =>
            asked == call && Interlocked.Increment(ref _count) == nth ? error : Errno.None;
    }
}
