using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>
/// What is counted per listener and per source address, read from the cells when someone asks. Of a listener that has left the file
/// the counters stay, and the gauge while something is pending there.
/// </summary>
internal sealed class ListenerInstruments
{
    private readonly Func<RoutingSnapshot> _snapshot;

    public ListenerInstruments(Meter meter, Func<RoutingSnapshot> snapshot)
    {
        _snapshot = snapshot;
        meter.CreateObservableCounter(MetricNames.ConnectionsAccepted, Accepted, null, "Connections accepted, whatever became of them.");
        meter.CreateObservableCounter(
            MetricNames.ConnectionsRefused, Refused, null, "Connections that ended before a backend was connected.");
        meter.CreateObservableGauge(
            MetricNames.ConnectionsPending, Pending, null, "Connections accepted for which no backend is connected yet.");
        meter.CreateObservableCounter(
            MetricNames.SourcePortsExhausted, Exhausted, null,
            "Connects that found no free local port from this source to their destination.");
    }

    private IEnumerable<Measurement<long>> Accepted() => Touched().Select(l => new Measurement<long>(l.Accepted, Label(l)));

    private IEnumerable<Measurement<long>> Pending()
    {
        RoutingSnapshot snapshot = _snapshot();
        return snapshot.Listeners.Select(l => l.Cell).Where(l => l.Accepted > 0)
            .Concat(snapshot.Departed.Listeners.Where(l => l.Pending > 0))
            .Select(l => new Measurement<long>(l.Pending, Label(l)));
    }

    private IEnumerable<Measurement<long>> Refused()
    {
        foreach (ListenerCell listener in Touched())
        {
            for (var reason = CloseReason.None; (int)reason < CloseReasons.Count; reason++)
            {
                if (listener.Refused[reason] is > 0 and long count)
                {
                    yield return new Measurement<long>(count, Label(listener), new(MetricNames.Reason, reason.Name()));
                }
            }
        }
    }

    private IEnumerable<Measurement<long>> Exhausted() =>
        _snapshot().Sources.Where(s => s.Exhausted > 0)
            .Select(s => new Measurement<long>(s.Exhausted, new KeyValuePair<string, object?>(MetricNames.SourceIp, s.Label)));

    private IEnumerable<ListenerCell> Touched()
    {
        RoutingSnapshot snapshot = _snapshot();
        return snapshot.Listeners.Select(l => l.Cell).Concat(snapshot.Departed.Listeners).Where(l => l.Accepted > 0);
    }

    private static KeyValuePair<string, object?> Label(ListenerCell listener) => new(MetricNames.Listener, listener.Name);
}
