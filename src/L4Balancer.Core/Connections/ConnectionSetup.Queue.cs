using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <content>Waiting: for a turn where <c>new_connection_rate</c> queues connections, and for another round of all backends.</content>
public partial struct ConnectionSetup
{
    /// <summary>The same backend is not tried again sooner than this, or than the connect timeout if that is shorter.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private readonly SetupStep Pause(Instant now)
    {
        TimeSpan timeout = PoolSettings.ConnectTimeout;
        return SetupStep.WaitUntil(now + (timeout > TimeSpan.Zero && timeout < LongestPause ? timeout : LongestPause));
    }

    // A queued connection is sent elsewhere if its backend has gone down meanwhile.
    private SetupStep TakeTurn(ref ConnectionRecord record, RoutingSnapshot newest, Instant now)
    {
        int picked = Rebase(ref record, newest, now);
        if (picked != Pool.None && _route.Pool.StillTakes(picked, Search.Backends.Trial))
        {
            Backend backend = _route.Pool.Backends[picked];
            Search.Backends.Rebase(backend);
            record.Backend = backend.State;
            if (TryBegin(ref record, now, out SetupStep step))
            {
                return step;
            }

            Search.Backends.Skip(picked);
        }

        return TryNextBackend(ref record, now);
    }

    // Takes the listener, and with it the pool that decides from now on, from the newest snapshot; keeps the old one if the listener is
    // gone. Returns the index there of the backend that was picked last, or none.
    private int Rebase(ref ConnectionRecord record, RoutingSnapshot newest, Instant now)
    {
        Backend picked = Search.Backends.Backend!;
        if (ReferenceEquals(newest, _snapshot))
        {
            return picked.Index;
        }

        _snapshot = newest;
        if (ListenerIn(newest, record.Listener) is { } listener && listener.Continue(_route) is { } route)
        {
            if (record.Origin.Sticky != route.Origin.Sticky)
            {
                record.LeaveSticky(now);
            }

            record.Origin = route.Origin;
            Search.Backends.Rebase(_route.Pool, route.Pool);

            // The bytes of another key are gone: the tuple counts.
            _key = route.Pool.Key.Equals(_route.Pool.Key) ? _key : null;
            (_listener, _route) = (listener, route);
        }

        return _route.Pool.IndexOf(picked.State);
    }

    private bool GivesUpPlace(in ConnectionRecord record)
    {
        if (!_countedAbandoned)
        {
            _countedAbandoned = true;
            record.Pool.CountQueueAbandoned();
        }

        return PoolSettings.AbortOnClose;
    }
}
