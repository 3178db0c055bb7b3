using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>
/// The series of the backends that metrics speak of: those in force in their order, then those that have left. Made once per
/// snapshot, because a scrape asks a dozen times. Any thread.
/// </summary>
internal sealed class BackendCatalog(Func<RoutingSnapshot> snapshot)
{
    private volatile Made? _made;

    public IReadOnlyList<BackendSeries> Series
    {
        get
        {
            RoutingSnapshot now = snapshot();
            Made? made = _made;
            if (made?.Of != now)
            {
                // Two threads may both make it; they make the same.
                _made = made = new Made(now, Make(now));
            }

            return made.Series;
        }
    }

    private static List<BackendSeries> Make(RoutingSnapshot snapshot)
    {
        var series = new List<BackendSeries>();
        var known = new Dictionary<(string Pool, string Name), BackendSeries>();
        foreach (Pool pool in snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                Add(new BackendSeries(pool, backend));
            }
        }

        foreach (Backend backend in snapshot.Departed.Backends)
        {
            if (known.TryGetValue((backend.Cell.Pool, backend.Name), out BackendSeries? same))
            {
                same.Add(backend.Cell);
            }
            else
            {
                Add(new BackendSeries(null, backend));
            }
        }

        return series;

        void Add(BackendSeries one)
        {
            series.Add(one);
            known[(one.Backend.Cell.Pool, one.Backend.Name)] = one;
        }
    }

    private sealed record Made(RoutingSnapshot Of, IReadOnlyList<BackendSeries> Series);
}
