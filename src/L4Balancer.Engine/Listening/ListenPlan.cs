using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// Decides which sockets stay for a snapshot, whatever else changes about them, which leave, and which addresses are not listened on because
/// their pool is down. It has no side effects.
/// </summary>
internal sealed class ListenPlan<TSocket>
    where TSocket : ListeningSocket
{
    private readonly List<TSocket> _free;
    private readonly List<ListenPlace<TSocket>> _places;
    private readonly Dictionary<(string Listener, Endpoint Requested), Endpoint> _suspended = [];

    /// <param name="serving">The sockets of the previous snapshot.</param>
    /// <param name="retiring">Sockets that are being retired; they may return.</param>
    /// <param name="isInherited">Whether an inherited socket waits for this address.</param>
    public ListenPlan(
        RoutingSnapshot snapshot, IReadOnlyList<TSocket> serving, IReadOnlyList<TSocket> retiring, Func<Endpoint, bool> isInherited)
    {
        _places =
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
        foreach (ListenPlace<TSocket> place in _places.Where(p => !p.Target.Listener.IsOpen).ToArray())
        {
            if (place.Socket is { IsInherited: true } || isInherited(place.Requested))
            {
                continue;
            }

            Suspend(place, place.Socket?.Endpoint ?? place.Requested);
            if (place.Socket is not null)
            {
                _free.Add(place.Socket);
            }
        }

        Leaving = [.. _free.Where(s => !s.IsRetiring)];
    }

    /// <summary>The places to listen on, in the order of the snapshot.</summary>
    public IReadOnlyList<ListenPlace<TSocket>> Places => _places;

    /// <summary>
    /// The places that are not listened on for now, with the address to bind later: where the kernel has chosen the port, the same one again.
    /// </summary>
    public IReadOnlyDictionary<(string Listener, Endpoint Requested), Endpoint> Suspended => _suspended;

    /// <summary>Sockets that serve now and are not in the new snapshot.</summary>
    public IReadOnlyList<TSocket> Leaving { get; }

    /// <summary>The leaving and retiring sockets that prevent this place's address from being bound.</summary>
    public IEnumerable<TSocket> InTheWayOf(ListenPlace<TSocket> place) => _free.Where(s => s.Excludes(place.Requested));

    /// <summary>Leaves a place out for now.</summary>
    public void Suspend(ListenPlace<TSocket> place, Endpoint address)
    {
        _places.Remove(place);
        _suspended[place.Key] = address;
    }

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
