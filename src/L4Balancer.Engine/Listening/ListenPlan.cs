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
    private readonly List<PlannedBind<TSocket>> _binds;
    private readonly Dictionary<(string Listener, Endpoint Requested), Endpoint> _suspended = [];

    /// <param name="serving">The sockets of the previous snapshot.</param>
    /// <param name="retiring">Sockets that are being retired; they may return.</param>
    /// <param name="isInherited">Whether an inherited socket waits for this address.</param>
    public ListenPlan(
        RoutingSnapshot snapshot, IReadOnlyList<TSocket> serving, IReadOnlyList<TSocket> retiring, Func<Endpoint, bool> isInherited)
    {
        _binds =
        [
            .. snapshot.Listeners.Where(static l => !l.IsPacket).SelectMany(l => l.Settings.Bind.Select(e => new PlannedBind<TSocket>(new ListenerRoute(snapshot, l), e))),
        ];
        _free = [.. serving, .. retiring];

        // A fully specified address matches exactly one socket. Among sockets whose port the kernel chose, one of the same listener is
        // preferred.
        AssignByAddress();
        Assign(static (bind, socket) =>
            socket.Requested == bind.Requested && socket.Target.Listener.Name == bind.Target.Listener.Name);
        Assign(static (bind, socket) => socket.Requested == bind.Requested);
        foreach (PlannedBind<TSocket> bind in _binds.Where(p => !p.Target.Listener.IsOpen).ToArray())
        {
            if (bind.Socket is { IsInherited: true } || isInherited(bind.Requested))
            {
                continue;
            }

            Suspend(bind, bind.Socket?.Endpoint ?? bind.Requested);
            if (bind.Socket is not null)
            {
                _free.Add(bind.Socket);
            }
        }

        Leaving = [.. _free.Where(s => !s.IsRetiring)];
    }

    /// <summary>The places to listen on, in the order of the snapshot.</summary>
    public IReadOnlyList<PlannedBind<TSocket>> Binds => _binds;

    /// <summary>
    /// The addresses that are not listened on for now, with the address to bind later: where the kernel has chosen the port, the same one again.
    /// </summary>
    public IReadOnlyDictionary<(string Listener, Endpoint Requested), Endpoint> Suspended => _suspended;

    /// <summary>Sockets that serve now and are not in the new snapshot.</summary>
    public IReadOnlyList<TSocket> Leaving { get; }

    /// <summary>The leaving and retiring sockets that prevent this bind's address from being bound.</summary>
    public IEnumerable<TSocket> InTheWayOf(PlannedBind<TSocket> bind) => _free.Where(s => s.Excludes(bind.Requested));

    /// <summary>Leaves a address out for now.</summary>
    public void Suspend(PlannedBind<TSocket> bind, Endpoint address)
    {
        _binds.Remove(bind);
        _suspended[bind.Key] = address;
    }

    // By table, because a listener may have a thousand ports.
    private void AssignByAddress()
    {
        Dictionary<Endpoint, TSocket> byAddress = [];
        foreach (TSocket socket in _free.Where(s => s.MayReturn))
        {
            byAddress.TryAdd(socket.Endpoint, socket);
        }

        HashSet<TSocket> assigned = [];
        foreach (PlannedBind<TSocket> bind in Binds)
        {
            if (byAddress.Remove(bind.Requested, out TSocket? socket))
            {
                bind.Socket = socket;
                assigned.Add(socket);
            }
        }

        _free.RemoveAll(assigned.Contains);
    }

    // Only where the kernel has chosen the port: any other address has been looked for.
    private void Assign(Func<PlannedBind<TSocket>, TSocket, bool> fits)
    {
        foreach (PlannedBind<TSocket> bind in Binds.Where(p => p.Socket is null && p.Requested is { Port: 0, IsUnix: false }))
        {
            bind.Socket = _free.Find(s => fits(bind, s));
            if (bind.Socket is not null)
            {
                _free.Remove(bind.Socket);
            }
        }
    }
}
