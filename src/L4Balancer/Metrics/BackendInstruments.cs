using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>What is counted per backend, read from the cells when someone asks. A series appears when it is first touched.</summary>
internal sealed class BackendInstruments
{
    private readonly Func<RoutingSnapshot> _snapshot;

    public BackendInstruments(Meter meter, Func<RoutingSnapshot> snapshot)
    {
        _snapshot = snapshot;
        meter.CreateObservableGauge(MetricNames.ConnectionsActive, Active, null, "Established connections.");
        meter.CreateObservableCounter(
            MetricNames.ConnectionsClosed, () => ByReason(b => b.Cell.Closed), null, "Established connections that ended, by reason.");
        meter.CreateObservableCounter(MetricNames.RelayedBytes, Relayed, null, "Bytes relayed, by the side they were written to.");
        meter.CreateObservableCounter(
            MetricNames.ConnectAttempts, () => Counted(b => b.Cell.ConnectAttempts), null, "Connects made to the backend.");
        meter.CreateObservableCounter(
            MetricNames.ConnectFailures, () => ByReason(b => b.Cell.ConnectFailures), null,
            "Connects to the backend that failed, by reason.");
    }

    private IEnumerable<Measurement<long>> Active() =>
        Backends().Where(b => b.Cell.ConnectAttempts > 0)
            .Select(b => new Measurement<long>(b.Cell.Active, BackendLabels.Pool(b), BackendLabels.Name(b)));

    private IEnumerable<Measurement<long>> Relayed()
    {
        foreach (Backend backend in Backends())
        {
            if (backend.Cell.BytesToBackend is > 0 and long toBackend)
            {
                yield return BackendLabels.Measure(toBackend, backend, MetricNames.Direction, MetricNames.ToBackend);
            }

            if (backend.Cell.BytesToClient is > 0 and long toClient)
            {
                yield return BackendLabels.Measure(toClient, backend, MetricNames.Direction, MetricNames.ToClient);
            }
        }
    }

    private IEnumerable<Measurement<long>> ByReason(Func<Backend, ReasonCounters> counters)
    {
        foreach (Backend backend in Backends())
        {
            ReasonCounters counts = counters(backend);
            for (var reason = CloseReason.None; (int)reason < CloseReasons.Count; reason++)
            {
                if (counts[reason] is > 0 and long count)
                {
                    yield return BackendLabels.Measure(count, backend, MetricNames.Reason, reason.Name());
                }
            }
        }
    }

    private IEnumerable<Measurement<long>> Counted(Func<Backend, long> count) =>
        Backends().Select(b => (Backend: b, Count: count(b))).Where(c => c.Count > 0)
            .Select(c => new Measurement<long>(c.Count, BackendLabels.Pool(c.Backend), BackendLabels.Name(c.Backend)));

    private IEnumerable<Backend> Backends() => _snapshot().Pools.SelectMany(p => p.Backends);
}
