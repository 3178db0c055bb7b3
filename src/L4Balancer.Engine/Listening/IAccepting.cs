using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Listening;

/// <summary>What an engine does with listening sockets, in its own threads. None of it waits for anything but what is answered as a task.</summary>
internal interface IAccepting<TSocket>
    where TSocket : ListeningSocket
{
    /// <param name="share">With SO_REUSEPORT: a socket that is about to leave has it too, and is in the way.</param>
    /// <returns>A bound socket that does not listen yet, or what went wrong.</returns>
    (TSocket? Socket, SocketError Error) Bind(Endpoint endpoint, Target target, bool share);

    /// <summary>Takes over a socket that another process has bound, and made listen already, it may be.</summary>
    TSocket Inherit(int descriptor, Endpoint endpoint, Target target);

    /// <summary>Accepts from now on; nothing changes where it does already.</summary>
    void Watch(TSocket socket);

    /// <summary>Done when nobody accepts from it any more.</summary>
    Task UnwatchAsync(TSocket socket);

    /// <summary>Accepts what is queued, and closes as soon as nothing is.</summary>
    /// <param name="close">Not to be called once all accepting has ended.</param>
    /// <returns>What <paramref name="close"/> answered; false where something may be queued still.</returns>
    Task<bool> EmptyAsync(TSocket socket, Func<bool> close);

    /// <summary>Done when nobody accepts anything any more, for good.</summary>
    Task EndAsync();
}
