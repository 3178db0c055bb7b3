using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;

namespace L4Balancer.Admin;

/// <summary>What one sample of the history is made of: gauges, and counters since the start, over all listeners and backends.</summary>
/// <param name="Up">Backends of the configuration that are up.</param>
/// <param name="Backends">Backends of the configuration.</param>
internal readonly record struct TrafficTotals(
    int Active, int Pending, int Up, int Backends, long Accepted, long Refused, long BytesToBackend, long BytesToClient)
{
    /// <summary>Reads the counters; allocates nothing and takes no lock. Any thread.</summary>
    public static TrafficTotals Of(RoutingSnapshot snapshot)
    {
        TrafficTotals total = default;
        foreach (Listener listener in snapshot.Listeners)
        {
            total = total.With(listener.State);
        }

        foreach (ListenerState listener in snapshot.Removed.Listeners)
        {
            total = total.With(listener);
        }

        foreach (Pool pool in snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                int up = pool.StatusOf(backend.Index) == BackendStatus.Up ? 1 : 0;
                total = total.With(backend.State) with { Up = total.Up + up, Backends = total.Backends + 1 };
            }
        }

        foreach (Backend backend in snapshot.Removed.Backends)
        {
            total = total.With(backend.State);
        }

        return total;
    }

    private TrafficTotals With(ListenerState listener) => this with
    {
        Pending = Pending + listener.Pending,
        Accepted = Accepted + listener.Accepted,
        Refused = Refused + listener.Refused.Total,
    };

    private TrafficTotals With(BackendState backend) => this with
    {
        Active = Active + backend.Active,
        BytesToBackend = BytesToBackend + backend.BytesToBackend,
        BytesToClient = BytesToClient + backend.BytesToClient,
    };
}
