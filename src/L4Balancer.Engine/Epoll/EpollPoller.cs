using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Epoll;

/// <summary>A worker's epoll instance (epoll(7)).</summary>
/// <exception cref="InvalidOperationException">The kernel provides no instance: descriptors or memory are exhausted.</exception>
internal sealed class EpollPoller() : IPoller
{
    private const uint ConnectionEvents = Libc.EPOLLIN | Libc.EPOLLOUT | Libc.EPOLLPRI | Libc.EPOLLRDHUP | Libc.EPOLLET;

    private readonly EventPoll _poll = new(IPoller.EventsPerWait);

    public SysResult AddConnection(int descriptor, ulong data) =>
        _poll.Add(descriptor, ConnectionEvents, data);

    public SysResult ReportAgain(int descriptor, ulong data) => _poll.Modify(descriptor, ConnectionEvents, data);

    /// <summary>EPOLLEXCLUSIVE needs Linux 4.5.</summary>
    public SysResult AddListening(int descriptor, ulong data) => _poll.Add(descriptor, Libc.EPOLLIN | Libc.EPOLLEXCLUSIVE, data);

    public SysResult AddInput(int descriptor, ulong data) => _poll.Add(descriptor, Libc.EPOLLIN, data);

    public SysResult Remove(int descriptor) => _poll.Remove(descriptor);

    public int Wait(int milliseconds) => _poll.Wait(milliseconds);

    public PollEvents Events(int index) => (PollEvents)_poll.Events(index);

    public ulong Data(int index) => _poll.Data(index);

    public void Dispose() => _poll.Dispose();
}
