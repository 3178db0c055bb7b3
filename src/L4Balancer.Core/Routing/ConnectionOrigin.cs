using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Sticky;

namespace L4Balancer.Core.Routing;

/// <summary>
/// The part of a snapshot that an established connection keeps: the listener and pool that it counts for, and the settings that apply for
/// the rest of its life. It refers to no pool, ring or snapshot, so that those can be collected while connections live. Immutable; one
/// object per listener, shared by all its connections.
/// </summary>
/// <param name="Sticky">The table in which its key has an entry; null: none.</param>
/// <param name="Route">
/// Which route of the listener decided: the number of <c>[[listeners.routes]]</c>, from 1, or <c>default</c> where none fitted; empty if
/// there are no routes, or none has been decided on.
/// </param>
/// <param name="Rule">The conditions of that route when it decided, for people, cut off after 128 characters; empty if it has none.</param>
public sealed record ConnectionOrigin(
    ListenerState Listener, PoolState Pool, ConnectionPolicy Policy, StickyTable? Sticky = null, string Route = "", string Rule = "");

/// <summary>The settings of a pool that apply to established connections, as in <see cref="PoolSettings"/>.</summary>
/// <param name="MaxAge">Zero: no limit.</param>
/// <param name="CloseRate">Connections per second over the whole pool; 0: no limit.</param>
/// <param name="Passive">What an end soon after the connect means for the backend's health.</param>
public sealed record ConnectionPolicy(
    TimeSpan IdleTimeout, TimeSpan HalfCloseTimeout, TimeSpan MaxAge, int CloseRate, KeepaliveSettings Keepalive, PassiveSettings Passive)
{
    internal static ConnectionPolicy Of(PoolSettings pool) =>
        new(pool.IdleTimeout, pool.HalfCloseTimeout, pool.MaxAge, pool.CloseRate, pool.Keepalive, pool.Passive);
}
