using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Metrics;

/// <summary>
/// What is counted per listener, read from each <see cref="ListenerState"/> at a scrape. Of a listener that has left the file the counters
/// stay that are not zero, and the gauge while something is pending there.
/// </summary>
internal sealed class ListenerInstruments
{
    private readonly List<ListenerSeries> _listeners;

    /// <param name="group">Its members change between two scrapes.</param>
    public ListenerInstruments(SeriesGroup<ListenerSeries> group)
    {
        _listeners = group.Members;
        Meter meter = group.Meter;
        meter.CreateObservableCounter(MetricNames.ConnectionsAccepted, Accepted, null, "Connections accepted, whatever became of them.");
        meter.CreateObservableCounter(
            MetricNames.ConnectionsRefused, Refused, null, "Connections that ended before a backend was connected.");
        meter.CreateObservableCounter(
            MetricNames.RouteKeyMissing, KeysMissing, null,
            "Connections hashed by their addresses because the client sent no value for a part of hash_key.");
        meter.CreateObservableGauge(
            MetricNames.ConnectionsPending, Pending, null, "Connections accepted for which no backend is connected yet.");
    }

    /// <summary>
    /// Why a connection is refused that should not be, and what <c>packaging/prometheus/alerts.yml</c> alerts to: a rate needs the zero
    /// before the first.
    /// </summary>
    public static IReadOnlyList<CloseReason> Alerted { get; } =
    [
        CloseReason.ConnectFailed, CloseReason.ConnectTimeout, CloseReason.NoBackend, CloseReason.SourcePortsExhausted,
        CloseReason.InspectTimeout, CloseReason.InspectInvalid, CloseReason.ProxyHeaderInvalid, CloseReason.Limit, CloseReason.Internal,
    ];

    private IEnumerable<Measurement<long>> Accepted() =>
        _listeners.Where(l => l.IsInForce || l.State.Accepted > 0).Select(l => new Measurement<long>(l.State.Accepted, Label(l)));

    private IEnumerable<Measurement<long>> KeysMissing() =>
        _listeners.Where(l => l.IsInForce || l.State.KeysMissing > 0).Select(l => new Measurement<long>(l.State.KeysMissing, Label(l)));

    private IEnumerable<Measurement<long>> Pending() =>
        _listeners.Where(l => l.IsInForce || l.State.Pending > 0).Select(l => new Measurement<long>(l.State.Pending, Label(l)));

    private IEnumerable<Measurement<long>> Refused()
    {
        foreach (ListenerSeries listener in _listeners)
        {
            for (var reason = CloseReason.None; (int)reason < CloseReasons.Count; reason++)
            {
                long count = listener.State.Refused[reason];
                if (count > 0 || (listener.IsInForce && Alerted.Contains(reason)))
                {
                    yield return new Measurement<long>(count, Label(listener), new(MetricNames.Reason, reason.Name()));
                }
            }
        }
    }

    private static KeyValuePair<string, object?> Label(ListenerSeries listener) => new(MetricNames.Listener, listener.State.Name);
}

/// <summary>A listener in the configuration, or one that has left it.</summary>
internal sealed record ListenerSeries(ListenerState State, bool IsInForce);
