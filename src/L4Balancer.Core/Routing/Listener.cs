using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Routing;

/// <summary>One listener in one snapshot, with its pool and its routes to others. Immutable; any thread.</summary>
public sealed class Listener
{
    /// <summary>How many characters of a route's conditions its connections keep for logs and listings.</summary>
    private const int LongestRule = 128;

    /// <summary>Longer paths are normalised in a rented buffer.</summary>
    private const int ShortPath = 512;

    private readonly PrefixSet _allow;
    private readonly PrefixSet _deny;
    private readonly PrefixSet _proxies;
    private readonly bool _hasPaths;

    /// <param name="poolOf">Finds a pool by its name.</param>
    /// <param name="shared">Replaces an origin by an earlier one of the same values, if there is one.</param>
    internal Listener(
        ListenerSettings settings, ListenerState state, Func<string, Pool> poolOf, Func<ConnectionOrigin, ConnectionOrigin> shared)
    {
        Settings = settings;
        State = state;
        Pool = poolOf(settings.Pool);
        _allow = new PrefixSet(settings.Allow);
        _deny = new PrefixSet(settings.Deny);
        _proxies = new PrefixSet(settings.AcceptProxyFrom);
        Origin = shared(OriginOf(Pool, ""));
        Routes = [.. settings.Routes.Select((route, i) =>
        {
            Pool pool = poolOf(route.Pool);
            return new Route(route, pool, shared(OriginOf(pool, (i + 1).ToString(CultureInfo.InvariantCulture), route.Rule)));
        })];
        Default = new Route(null, Pool, Routes.IsEmpty ? Origin : shared(OriginOf(Pool, Route.DefaultName)));
        _hasPaths = Routes.Any(static r => r.HasPaths);
    }

    public ListenerSettings Settings { get; }

    public ListenerState State { get; }

    public string Name => Settings.Name;

    /// <summary>Whether packets are forwarded and nothing is accepted: no engine listens for it.</summary>
    public bool IsPacket => Settings.Mode == ListenerMode.Packet;

    /// <summary>Where connections go that no route fits.</summary>
    public Pool Pool { get; }

    /// <summary>In the order of the file.</summary>
    public ImmutableArray<Route> Routes { get; }

    /// <summary>The way to <see cref="Pool"/>.</summary>
    public Route Default { get; }

    /// <summary>The part that its connections keep until a route is decided on.</summary>
    public ConnectionOrigin Origin { get; }

    internal IEnumerable<ConnectionOrigin> Origins => Routes.Select(static r => r.Origin).Append(Default.Origin).Append(Origin);

    /// <summary>
    /// Which way a connection goes: the first route that fits, else <see cref="Default"/>. Allocates nothing. The cost grows with the number of
    /// routes, not with that of their names.
    /// </summary>
    /// <param name="client">The connection of the client itself, that which a PROXY header names if there was one.</param>
    /// <param name="inspected">What the client sent first; nothing if it was not looked at, or could not be read.</param>
    public Route RouteOf(in FourTuple client, scoped in Inspected inspected)
    {
        if (Routes.IsEmpty)
        {
            return Default;
        }

        if (!_hasPaths || !inspected.HasRequest)
        {
            return FirstThatFits(client.Source.Address, inspected, default);
        }

        ReadOnlySpan<byte> sent = inspected.Request.Path;
        byte[]? rented = sent.Length <= ShortPath ? null : ArrayPool<byte>.Shared.Rent(sent.Length);
        Span<byte> buffer = rented ?? stackalloc byte[ShortPath];
        Route route = FirstThatFits(client.Source.Address, inspected, PercentEncoding.NormalizePath(sent, buffer));
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return route;
    }

    /// <summary>
    /// The way of an earlier snapshot's connection in this one: the same number to the same pool, else another to that pool. The route cannot be
    /// decided on anew, because what the client sent is no longer at hand.
    /// </summary>
    /// <returns>Null if none leads there any more.</returns>
    internal Route? Continue(Route before)
    {
        if (before.Settings is null)
        {
            return Default;
        }

        Route? found = null;
        foreach (Route route in Routes)
        {
            if (route.Pool.State == before.Pool.State && (found is null || route.Name == before.Name))
            {
                found = route;
            }
        }

        return found ?? (Pool.State == before.Pool.State ? Default : null);
    }

    /// <summary>Whether a client's address is admitted: not denied, and in the allow list if there is one.</summary>
    public bool Allows(HostAddress client) => !_deny.Contains(client) && (_allow.IsEmpty || _allow.Contains(client));

    /// <summary>Whether a peer with this address must send a PROXY header first.</summary>
    public bool IsProxy(HostAddress peer) => _proxies.Contains(peer);

    /// <summary>Whether its addresses are to be listened on now (<c>on_pool_down</c>); changes with the health of its pools.</summary>
    public bool IsOpen => Settings.OnPoolDown == OnPoolDown.Refuse || Pool.TakesAny || Routes.Any(static r => r.Pool.TakesAny);

    /// <summary>Whether connections have to be counted by their source address.</summary>
    public bool LimitsSources => Settings.MaxConnectionsPerSource > 0 || Settings.ConnectionRatePerSource > 0;

    private ConnectionOrigin OriginOf(Pool pool, string route, string rule = "") => new(
        State, pool.State, ConnectionPolicy.Of(pool.Settings), pool.Sticky, route,
        rule.Length <= LongestRule ? rule : string.Concat(rule.AsSpan(0, LongestRule), "..."));

    private Route FirstThatFits(HostAddress client, scoped in Inspected inspected, scoped ReadOnlySpan<byte> path)
    {
        foreach (Route route in Routes)
        {
            if (route.Fits(client, inspected, path))
            {
                return route;
            }
        }

        return Default;
    }
}
