using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;

namespace L4Balancer.Engine.Epoll;

/// <summary>Posts to every worker which sockets to accept from: each worker watches all of them.</summary>
internal sealed class AcceptThreads(IReadOnlyList<Worker> workers) : IAccepting<EpollListeningSocket>
{
    private int _numbers;

    public (EpollListeningSocket? Socket, SocketError Error) Bind(Endpoint endpoint, Target target, bool share)
    {
        (EpollListeningSocket? socket, Errno error) = EpollListeningSocket.Bind(_numbers++, endpoint, target, share);
        return (socket, BindErrors.Of(error));
    }

    public EpollListeningSocket Inherit(int descriptor, Endpoint endpoint, Target target) =>
        EpollListeningSocket.Inherit(_numbers++, descriptor, endpoint, target);

    public void Watch(EpollListeningSocket socket)
    {
        foreach (Worker worker in workers)
        {
            worker.Mailbox.TryPost(w => w.Acceptor.Watch(socket));
        }
    }

    public Task UnwatchAsync(EpollListeningSocket socket) => AskAllAsync(w => w.Acceptor.Unwatch(socket));

    public Task<bool> EmptyAsync(EpollListeningSocket socket, Func<bool> close) =>
        workers.MinBy(w => w.Assigned)!.AskAsync(w => w.Acceptor.Empty(socket, close), afterwards: true);

    public Task EndAsync() => AskAllAsync(static w => w.Acceptor.End());

    private Task<bool[]> AskAllAsync(Action<Worker> request) => Task.WhenAll(workers.Select(worker => worker.AskAsync(
        w =>
        {
            request(w);
            return true;
        },
        afterwards: true)));
}
