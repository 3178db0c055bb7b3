using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>Whether a client may come in at all: prefixes, limits, and the budget of descriptors. Any thread; allocates nothing.</summary>
internal static class Admission
{
    /// <summary>Counts a connection as accepted, whatever becomes of it.</summary>
    /// <returns>Why it may not come in; none where it may.</returns>
    public static CloseReason WhyNot(ref ConnectionRecord record, RoutingSnapshot snapshot, Listener listener, Instant now)
    {
        int openHere = listener.Cell.CountAccepted();
        int openInAll = snapshot.Cell.CountAccepted();
        int most = listener.Settings.MaxConnections;
        if (!listener.Allows(record.Tuple.Source.Address))
        {
            return CloseReason.Denied;
        }

        bool overLimit = openInAll > snapshot.MaxConnections || (most > 0 && openHere > most);
        return overLimit || !TryEnterSource(ref record, listener, now) ? CloseReason.Limit : CloseReason.None;
    }

    private static bool TryEnterSource(ref ConnectionRecord record, Listener listener, Instant now)
    {
        if (!listener.LimitsSources)
        {
            return true;
        }

        ListenerSettings settings = listener.Settings;
        record.HasSourcePlace = listener.Cell.BySource.TryEnter(
            record.Tuple.Source.Address, settings.MaxConnectionsPerSource, settings.ConnectionRatePerSource, now);
        return record.HasSourcePlace;
    }
}
