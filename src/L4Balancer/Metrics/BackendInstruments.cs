using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Metrics;

/// <summary>
/// What is counted per backend, read from the cells when someone asks. A series appears when it is first touched. Of a backend that
/// has left the file the counters stay, and the gauge while it holds connections.
/// </summary>
internal sealed class BackendInstruments
{
    private static readonly KeyValuePair<string, object?> ToBackend = new(MetricNames.Direction, MetricNames.ToBackend);
    private static readonly KeyValuePair<string, object?> ToClient = new(MetricNames.Direction, MetricNames.ToClient);

    private readonly BackendCatalog _backends;
    private readonly bool _endsGauges;

    /// <param name="endsGauges">Whether gauges of what has left end with its connections, or say zero from then on.</param>
    public BackendInstruments(Meter meter, BackendCatalog backends, bool endsGauges)
    {
        _endsGauges = endsGauges;
        _backends = backends;
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
        foreach (BackendSeries backend in _backends.Series)
        {
            int active = backend.Active;
            if (active > 0 || ((backend.Pool is not null || !_endsGauges) && backend.Sum(static c => c.ConnectAttempts) > 0))
            {
                yield return backend.Measure(active);
            }
        }
    }

    private IEnumerable<Measurement<long>> Relayed()
    {
        foreach (BackendSeries backend in _backends.Series)
        {
            if (backend.Sum(static c => c.BytesToBackend) is > 0 and long toBackend)
            {
                yield return backend.Measure(toBackend, ToBackend);
            }

            if (backend.Sum(static c => c.BytesToClient) is > 0 and long toClient)
            {
                yield return backend.Measure(toClient, ToClient);
            }
        }
    }

    private IEnumerable<Measurement<long>> Attempts()
    {
        foreach (BackendSeries backend in _backends.Series)
        {
            if (backend.Sum(static c => c.ConnectAttempts) is > 0 and long attempts)
            {
                yield return backend.Measure(attempts);
            }
        }
    }

    private IEnumerable<Measurement<long>> ByReason(Func<BackendCell, ReasonCounters> counters)
    {
        foreach (BackendSeries backend in _backends.Series)
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
