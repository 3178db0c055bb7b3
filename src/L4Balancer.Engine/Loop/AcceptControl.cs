using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Listening;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Loop;

/// <summary>Posts to every worker which sockets to accept from: each worker watches all of them.</summary>
/// <param name="ledger">Where listening sockets are noted; null: nowhere.</param>
internal sealed class AcceptControl(IReadOnlyList<Worker> workers, ConnectionLedger? ledger, ILogger log) : IAcceptControl<LoopListeningSocket>
{
    private int _numbers;

    public (LoopListeningSocket? Socket, SocketError Error) Bind(Endpoint endpoint, ListenerRoute target, bool share) =>
        LoopListeningSocket.Bind(_numbers++, endpoint, target, share, Note);

    // The service manager gives its sockets to every daemon that starts, so those need not be noted.
    public LoopListeningSocket Inherit(int descriptor, Endpoint endpoint, ListenerRoute target, bool isFromService) =>
        LoopListeningSocket.Inherit(_numbers++, descriptor, endpoint, target, isFromService, isFromService ? null : Note);

    public void Watch(LoopListeningSocket socket)
    {
        foreach (Worker worker in workers)
        {
            worker.Mailbox.TryPost(w => w.Acceptor.Watch(socket));
        }
    }

    public Task UnwatchAsync(LoopListeningSocket socket) => AskAllAsync(w => w.Acceptor.Unwatch(socket));

    public Task<bool> DrainBacklogAsync(LoopListeningSocket socket, Func<bool> close) =>
        workers.MinBy(w => w.Assigned)!.AskAsync(w => w.Acceptor.Empty(socket, close), afterwards: true);

    /// <summary>Stops accepting for a while; completes when no worker accepts any more.</summary>
    public Task SuspendAsync() => AskAllAsync(static w => w.Acceptor.Suspend());

    /// <summary>Accepts again, from all sockets that are watched.</summary>
    public void Restart()
    {
        foreach (Worker worker in workers)
        {
            worker.Mailbox.TryPost(static w => w.Acceptor.Restart());
        }
    }

    public Task EndAsync() => AskAllAsync(static w => w.Acceptor.End());

    private void Note(LoopListeningSocket socket, bool listens)
    {
        if (!listens)
        {
            ledger?.RemoveListening(socket.Descriptor);
        }
        else if (!(ledger?.AddListening(socket.Descriptor, socket.Target.Listener.Name) ?? true))
        {
            log.ListeningNotInLedger(socket.Target.Listener.Name, socket.Endpoint);
        }
    }

    private Task<bool[]> AskAllAsync(Action<Worker> request) => Task.WhenAll(workers.Select(worker => worker.AskAsync(
        w =>
        {
            request(w);
            return true;
        },
        afterwards: true)));
}
