using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Listening;

/// <summary>Decides which sockets stay for a snapshot, whatever else changes about them, and which leave. It has no side effects.</summary>
internal sealed class ListenPlan<TSocket>
    where TSocket : ListeningSocket
{
    private readonly List<TSocket> _free;

    /// <param name="serving">The sockets of the previous snapshot.</param>
    /// <param name="retiring">Sockets that are being retired; they may return.</param>
    public ListenPlan(RoutingSnapshot snapshot, IReadOnlyList<TSocket> serving, IReadOnlyList<TSocket> retiring)
    {
        Places =
        [
            .. snapshot.Listeners.SelectMany(l => l.Settings.Bind.Select(e => new ListenPlace<TSocket>(new ListenerRoute(snapshot, l), e))),
        ];
        _free = [.. serving, .. retiring];

        // A fully specified address matches exactly one socket. Among sockets whose port the kernel chose, one of the same listener is
        // preferred.
        Assign(static (place, socket) => socket.Endpoint == place.Requested);
        Assign(static (place, socket) =>
            socket.Requested == place.Requested && socket.Target.Listener.Name == place.Target.Listener.Name);
        Assign(static (place, socket) => socket.Requested == place.Requested);
        Leaving = [.. _free.Where(s => !s.IsRetiring)];
    }

    /// <summary>The places, in the order of the snapshot.</summary>
    public IReadOnlyList<ListenPlace<TSocket>> Places { get; }

    /// <summary>Sockets that serve now and are not in the new snapshot.</summary>
    public IReadOnlyList<TSocket> Leaving { get; }

    /// <summary>The leaving and retiring sockets that prevent this place's address from being bound.</summary>
    public IEnumerable<TSocket> InTheWayOf(ListenPlace<TSocket> place) => _free.Where(s => s.Excludes(place.Requested));

    private void Assign(Func<ListenPlace<TSocket>, TSocket, bool> fits)
    {
        foreach (ListenPlace<TSocket> place in Places.Where(p => p.Socket is null))
        {
            place.Socket = _free.Find(s => fits(place, s));
            if (place.Socket is not null)
            {
                _free.Remove(place.Socket);
            }
        }
    }
}
