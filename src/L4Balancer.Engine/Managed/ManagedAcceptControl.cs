using System.Collections.Concurrent;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Listening;

namespace L4Balancer.Engine.Managed;

/// <summary>Runs one accept loop on the thread pool for each listening socket.</summary>
internal sealed class ManagedAcceptControl(ManagedEngine engine) : IAcceptControl<ManagedListeningSocket>
{
    private readonly ConcurrentDictionary<ManagedListeningSocket, bool> _watched = [];

    public (ManagedListeningSocket? Socket, SocketError Error) Bind(Endpoint endpoint, ListenerRoute target, bool share) =>
        ManagedListeningSocket.Bind(endpoint, target, share);

    public ManagedListeningSocket Inherit(int descriptor, Endpoint endpoint, ListenerRoute target, bool isFromService) =>
        ManagedListeningSocket.Inherit(descriptor, endpoint, target, isFromService);

    public void Watch(ManagedListeningSocket socket)
    {
        _watched[socket] = true;
        socket.Watch(engine);
    }

    public Task UnwatchAsync(ManagedListeningSocket socket)
    {
        _watched.TryRemove(socket, out _);
        return socket.UnwatchAsync();
    }

    public Task<bool> DrainBacklogAsync(ManagedListeningSocket socket, Func<bool> close) =>
        Task.FromResult(socket.AcceptQueued(engine) && close());

    public async Task EndAsync()
    {
        while (!_watched.IsEmpty)
        {
            await Task.WhenAll(_watched.Keys.Select(UnwatchAsync)).ConfigureAwait(false);
        }
    }
}
