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

        record.Limit = openInAll > snapshot.MaxConnections ? LimitKind.Balancer
            : most > 0 && openHere > most ? LimitKind.Listener
            : LimitOfSource(ref record, listener, now);
        return record.Limit == LimitKind.None ? CloseReason.None : CloseReason.Limit;
    }

    private static LimitKind LimitOfSource(ref ConnectionRecord record, Listener listener, Instant now)
    {
        // Clients of a UNIX socket have no address: limits per source do not apply to them.
        if (!listener.LimitsSources || record.Tuple.Source.IsUnix)
        {
            return LimitKind.None;
        }

        ListenerSettings settings = listener.Settings;
        LimitKind whyNot = listener.State.ByClient.WhyNot(
            record.Tuple.Source.Address, settings.MaxConnectionsPerSource, settings.ConnectionRatePerSource, now);
        record.HasClientPlace = whyNot == LimitKind.None;
        return whyNot;
    }
}
