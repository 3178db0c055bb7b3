using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Listening;

/// <summary>An engine's operations on listening sockets, on its own threads. None blocks; operations that take time return a task.</summary>
internal interface IAcceptControl<TSocket>
    where TSocket : ListeningSocket
{
    /// <param name="share">Set SO_REUSEPORT, because a socket that is being retired still occupies the address.</param>
    /// <returns>A bound socket that does not listen yet, or the error.</returns>
    (TSocket? Socket, SocketError Error) Bind(Endpoint endpoint, ListenerRoute target, bool share);

    /// <summary>Takes over a socket that another process has bound, and that may already listen.</summary>
    /// <param name="isFromService">As in <see cref="ListeningDescriptor"/>.</param>
    TSocket Inherit(int descriptor, Endpoint endpoint, ListenerRoute target, bool isFromService);

    /// <summary>Starts accepting; no effect if it already does.</summary>
    void Watch(TSocket socket);

    /// <summary>Stops accepting from it; completes when no thread does any more.</summary>
    Task UnwatchAsync(TSocket socket);

    /// <summary>Accepts queued connections, and closes the socket once its queue is empty.</summary>
    /// <param name="close">Not called once all accepting has ended.</param>
    /// <returns>The result of <paramref name="close"/>; false if connections may still be queued.</returns>
    Task<bool> DrainBacklogAsync(TSocket socket, Func<bool> close);

    /// <summary>Stops all accepting permanently; completes when no thread accepts any more.</summary>
    Task EndAsync();
}
