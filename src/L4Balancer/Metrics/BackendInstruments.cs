using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Metrics;

/// <summary>
/// What is counted per backend, read from each <see cref="BackendState"/> at a scrape. The series of a backend in force exist from the
/// start, except those by reason, which appear when they are first touched. Of a backend that has left the file the counters stay that are
/// not zero, and the gauge while it holds connections.
/// </summary>
internal sealed class BackendInstruments
{
    private static readonly KeyValuePair<string, object?> ToBackend = new(MetricNames.Direction, MetricNames.ToBackend);
    private static readonly KeyValuePair<string, object?> ToClient = new(MetricNames.Direction, MetricNames.ToClient);

    private readonly List<BackendSeries> _backends;

    /// <param name="group">Its members change between two scrapes.</param>
    public BackendInstruments(SeriesGroup<BackendSeries> group)
    {
        _backends = group.Members;
        Meter meter = group.Meter;
        meter.CreateObservableGauge(MetricNames.ConnectionsActive, Active, null, "Established connections.");
        meter.CreateObservableCounter(
            MetricNames.ConnectionsClosed, () => ByReason(static c => c.Closed), null, "Established connections that ended, by reason.");
        meter.CreateObservableCounter(
            MetricNames.ConnectionsShed, () => ByReason(static c => c.Shed), null,
            "Established connections that the balancer has begun to close at a pace, by reason.");
        meter.CreateObservableCounter(MetricNames.RelayedBytes, Relayed, null, "Bytes relayed, by the side they were written to.");
        meter.CreateObservableCounter(MetricNames.ConnectAttempts, Attempts, null, "Connects made to the backend.");
        meter.CreateObservableCounter(
            MetricNames.ConnectFailures, () => ByReason(static c => c.ConnectFailures), null,
            "Connects to the backend that failed, by reason.");
    }

    private IEnumerable<Measurement<long>> Active()
    {
        foreach (BackendSeries backend in _backends)
        {
            int active = backend.Active;
            if (active > 0 || backend.IsInForce)
            {
                yield return backend.Measure(active);
            }
        }
    }

    private IEnumerable<Measurement<long>> Relayed()
    {
        foreach (BackendSeries backend in _backends)
        {
            if (backend.Shows(backend.Sum(static c => c.BytesToBackend), out long toBackend))
            {
                yield return backend.Measure(toBackend, ToBackend);
            }

            if (backend.Shows(backend.Sum(static c => c.BytesToClient), out long toClient))
            {
                yield return backend.Measure(toClient, ToClient);
            }
        }
    }

    private IEnumerable<Measurement<long>> Attempts()
    {
        foreach (BackendSeries backend in _backends)
        {
            if (backend.Shows(backend.Sum(static c => c.ConnectAttempts), out long attempts))
            {
                yield return backend.Measure(attempts);
            }
        }
    }

    private IEnumerable<Measurement<long>> ByReason(Func<BackendState, ReasonCounters> counters)
    {
        foreach (BackendSeries backend in _backends)
        {
            for (var reason = CloseReason.None; (int)reason < CloseReasons.Count; reason++)
            {
                if (backend.Sum(counters, reason) is > 0 and long count)
                {
                    yield return backend.Measure(count, new(MetricNames.Reason, reason.Name()));
                }
            }
        }
    }
}
