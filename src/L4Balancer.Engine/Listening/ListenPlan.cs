using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Listening;

/// <summary>Which sockets stay for a snapshot, whatever else changes about them, and which leave. Decides; does nothing.</summary>
internal sealed class ListenPlan<TSocket>
    where TSocket : ListeningSocket
{
    private readonly List<TSocket> _free;

    /// <param name="serving">Of the snapshot until now.</param>
    /// <param name="retiring">On their way out; they may come back.</param>
    public ListenPlan(RoutingSnapshot snapshot, IReadOnlyList<TSocket> serving, IReadOnlyList<TSocket> retiring)
    {
        Places =
        [
            .. snapshot.Listeners.SelectMany(l => l.Settings.Bind.Select(e => new ListenPlace<TSocket>(new Target(snapshot, l), e))),
        ];
        _free = [.. serving, .. retiring];

        // An address that is written out is that of one socket. Of those with a port of the kernel's choice, the one of the same listener
        // is the one that is meant, if there is any.
        Assign(static (place, socket) => socket.Endpoint == place.Requested);
        Assign(static (place, socket) =>
            socket.Requested == place.Requested && socket.Target.Listener.Name == place.Target.Listener.Name);
        Assign(static (place, socket) => socket.Requested == place.Requested);
        Leaving = [.. _free.Where(s => !s.IsRetiring)];
    }

    /// <summary>In the order of the snapshot.</summary>
    public IReadOnlyList<ListenPlace<TSocket>> Places { get; }

    /// <summary>They serve, and are in the snapshot no more.</summary>
    public IReadOnlyList<TSocket> Leaving { get; }

    /// <summary>Those among the leaving and the retiring that keep this place's address from being bound.</summary>
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
