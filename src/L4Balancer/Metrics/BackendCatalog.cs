using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>The series of the backends that metrics report: those in force in their order, then those that have left.</summary>
internal static class BackendCatalog
{
    public static IReadOnlyCollection<BackendSeries> Of(RoutingSnapshot snapshot)
    {
        var series = new List<BackendSeries>();
        var known = new Dictionary<object, BackendSeries>();
        foreach (Pool pool in snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                Add(new BackendSeries(pool, backend));
            }
        }

        foreach (Backend backend in snapshot.Removed.Backends)
        {
            var removed = new BackendSeries(null, backend);
            if (known.TryGetValue(removed.Key, out BackendSeries? same))
            {
                same.Add(backend.State);
            }
            else
            {
                Add(removed);
            }
        }

        return series;

        void Add(BackendSeries one)
        {
            series.Add(one);
            known[one.Key] = one;
        }
    }
}
