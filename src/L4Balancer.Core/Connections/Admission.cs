using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// Decides whether a client is admitted: address prefixes, connection limits, and the budget of descriptors. Any thread; allocates nothing.
/// </summary>
internal static class Admission
{
    /// <summary>Counts a connection as accepted, whether it is admitted or not.</summary>
    /// <returns>The reason for refusing it; none where it is admitted.</returns>
    public static CloseReason WhyNot(ref ConnectionRecord record, RoutingSnapshot snapshot, Listener listener, Instant now)
    {
        int openHere = listener.State.CountAccepted();
        int openInAll = snapshot.State.CountAccepted();
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
        record.HasClientPlace = listener.State.ByClient.TryEnter(
            record.Tuple.Source.Address, settings.MaxConnectionsPerSource, settings.ConnectionRatePerSource, now);
        return record.HasClientPlace;
    }
}
