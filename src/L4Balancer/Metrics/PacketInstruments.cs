using System.Diagnostics.Metrics;
using L4Balancer.Engine.Packets;
using L4Balancer.Packets;

namespace L4Balancer.Metrics;

/// <summary>What packet listeners send on, as the kernel has counted it; without one there are no series.</summary>
internal static class PacketInstruments
{
    /// <param name="group">The backends.</param>
    public static void AddBackends(SeriesGroup<BackendSeries> group, Func<PacketTotals> totals)
    {
        List<BackendSeries> backends = group.Members;
        group.Meter.CreateObservableCounter(
            MetricNames.Packets, () => Of(static c => c.Packets), null, "Packets sent on to the backend by packet listeners.");
        group.Meter.CreateObservableCounter(
            MetricNames.PacketBytes, () => Of(static c => c.Bytes), null, "Bytes of packets sent on to the backend, with their Ethernet headers.");

        IEnumerable<Measurement<long>> Of(Func<PacketCount, long> value)
        {
            PacketTotals now = totals();
            foreach (BackendSeries backend in backends)
            {
                if (backend.IsInForce && now.OfBackend(backend.Key.Pool, backend.Key.Name) is PacketCount count)
                {
                    yield return backend.Measure(value(count));
                }
            }
        }
    }

    /// <param name="group">The listeners.</param>
    public static void AddListeners(SeriesGroup<ListenerSeries> group, Func<PacketTotals> totals)
    {
        List<ListenerSeries> listeners = group.Members;
        group.Meter.CreateObservableGauge(
            MetricNames.PacketFlows, () => Of(static r => r.Flows), null, "Flows of packets that are remembered.");
        group.Meter.CreateObservableGauge(
            MetricNames.PacketAttached, () => Of(static r => r.Attachment.Length > 0 ? 1 : 0), null, "Whether the packets of the interface are taken (1) or not (0).");

        IEnumerable<Measurement<long>> Of(Func<PacketListenerReading, long> value)
        {
            PacketTotals now = totals();
            return
                from listener in listeners
                let reading = listener.IsInForce ? now.OfListener(listener.State.Name) : null
                where reading is not null
                select new Measurement<long>(value(reading!), new KeyValuePair<string, object?>(MetricNames.Listener, listener.State.Name));
        }
    }

    public static void AddDrops(Meter meter, Func<PacketTotals> totals) => meter.CreateObservableCounter(
        MetricNames.PacketsDropped,
        () => totals().Drops.Select(static d => new Measurement<long>(d.Packets, new KeyValuePair<string, object?>(MetricNames.Reason, d.Reason))),
        null, "Packets of packet listeners that were dropped, by reason.");
}
