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
    /// <summary>Counts a connection as accepted, whether it is admitted or not, and checks what does not depend on who the client is.</summary>
    /// <param name="isKnown">Whether the peer is the client, and not a proxy that names it: then its address is checked first.</param>
    /// <returns>The reason for refusing it; none where it is admitted so far.</returns>
    public static CloseReason WhyNotAccepted(ref ConnectionRecord record, RoutingSnapshot snapshot, Listener listener, bool isKnown)
    {
        int openHere = listener.State.CountAccepted();
        int openInAll = snapshot.State.CountAccepted();
        if (isKnown && !listener.Allows(record.Tuple.Source.Address))
        {
            return CloseReason.Denied;
        }

        int most = listener.Settings.MaxConnections;
        record.Limit = openInAll > snapshot.MaxConnections ? LimitKind.Balancer
            : most > 0 && openHere > most ? LimitKind.Listener
            : LimitKind.None;
        return record.Limit == LimitKind.None ? CloseReason.None : CloseReason.Limit;
    }

    /// <summary>The limits per source, once the client itself is known: at accept, or after a PROXY header.</summary>
    /// <returns>The reason for refusing it; none where it is admitted.</returns>
    public static CloseReason CheckSource(ref ConnectionRecord record, Listener listener, Instant now)
    {
        record.Limit = LimitOfSource(ref record, listener, now);
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
