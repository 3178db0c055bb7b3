using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>A listener that accepts connections to an address.</summary>
/// <param name="Bind">Its address that does so: the same one, or the wildcard.</param>
public sealed record OwnListener(string Name, Endpoint Bind)
{
    public override string ToString() => $"listener {Name} ({Bind})";
}

/// <summary>
/// The addresses on which the listeners of a configuration accept connections. A backend or a probe at one of them would connect the balancer
/// to itself: each connection would cause the next one, until a limit is reached. Immutable; any thread.
/// </summary>
public sealed class OwnListeners
{
    private static readonly HostAddress Loopback4 = HostAddress.FromV4(0x7F00_0001);
    private static readonly HostAddress Loopback6 = new(0, 1);

    private readonly Dictionary<Endpoint, OwnListener> _exact = [];
    private readonly Dictionary<(bool IsV4, ushort Port), OwnListener> _wildcards = [];
    private readonly Func<HostAddress, bool> _isLocal;

    private OwnListeners(Func<HostAddress, bool> isLocal) => _isLocal = isLocal;

    /// <summary>No address is a listener's.</summary>
    public static OwnListeners None { get; } = new(static _ => false);

    /// <param name="listeners">An address with port 0 is left out: its port is not known before it is bound.</param>
    /// <param name="isLocal">
    /// Whether this host has an address; asked only about ports of wildcard listeners. Without it only loopback addresses are known to be local, as
    /// for a file that is meant for another host.
    /// </param>
    public static OwnListeners Of(IEnumerable<ListenerSettings> listeners, Func<HostAddress, bool>? isLocal = null)
    {
        ArgumentNullException.ThrowIfNull(listeners);
        OwnListeners own = new(isLocal ?? (static _ => false));
        foreach (ListenerSettings listener in listeners)
        {
            foreach (Endpoint bind in listener.Bind.Where(b => b.Port != 0 || b.IsUnix))
            {
                _ = bind.Address.IsAny && !bind.IsUnix
                    ? own._wildcards.TryAdd((bind.Address.IsV4, bind.Port), new OwnListener(listener.Name, bind))
                    : own._exact.TryAdd(bind, new OwnListener(listener.Name, bind));
            }
        }

        return own;
    }

    /// <summary>The listener that would accept a connection to this address; null if none does.</summary>
    public OwnListener? At(Endpoint endpoint)
    {
        if (endpoint.IsUnix)
        {
            return _exact.GetValueOrDefault(endpoint);
        }

        // Linux connects to the loopback address of the family if the destination is the wildcard (a host name may resolve to it).
        HostAddress address = !endpoint.Address.IsAny ? endpoint.Address : endpoint.Address.IsV4 ? Loopback4 : Loopback6;
        return _exact.GetValueOrDefault(endpoint with { Address = address })
            ?? (_wildcards.TryGetValue((address.IsV4, endpoint.Port), out OwnListener? wildcard) && (address.IsLoopback || _isLocal(address))
                ? wildcard : null);
    }

    /// <summary>The listener that connections to a backend, or its probes, would reach at this address; null if there is none.</summary>
    public OwnListener? Reached(HostAddress address, ushort port, HealthSettings health)
    {
        ArgumentNullException.ThrowIfNull(health);
        return At(new Endpoint(address, port))
            ?? (health.Type != HealthType.None && health.Port != 0 ? At(new Endpoint(address, (ushort)health.Port)) : null);
    }
}
