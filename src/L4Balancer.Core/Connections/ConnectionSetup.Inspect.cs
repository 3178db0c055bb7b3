using System.Buffers;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <content>
/// From accept to the route: the PROXY header, then the address lists and limits of the client that it names, then the first bytes, then the
/// route. The engine reads; what it found decides here.
/// </content>
public partial struct ConnectionSetup
{
    /// <summary>Longer keys are written in a rented buffer.</summary>
    private const int ShortKey = 512;

    /// <summary>The first bytes of the client must be a PROXY header.</summary>
    public readonly bool AwaitsProxyHeader => _awaitsProxyHeader;

    /// <summary>What of the client has to be read, after a PROXY header if one is awaited.</summary>
    public readonly InspectKind Inspects => _listener.Settings.Inspect;

    /// <summary>The most bytes that are looked at for <see cref="Inspects"/>.</summary>
    public readonly int InspectLimit => (int)_listener.Settings.InspectLimit.Bytes;

    /// <summary>A PROXY header was read: from now on the client that it names counts in place of the peer.</summary>
    /// <param name="addresses">Null: the header names no client (LOCAL, UNKNOWN), so the peer is the client.</param>
    /// <param name="newest">The snapshot in force: it decides from now on.</param>
    public SetupStep ProxyHeaderRead(ref ConnectionRecord record, FourTuple? addresses, RoutingSnapshot newest, Instant now)
    {
        Renew(ref record, newest);
        if (addresses is { Source.Address.IsAny: true })
        {
            // No client has the unspecified address (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2), which stands for the clients of UNIX sockets here.
            return Refuse(ref record, CloseReason.ProxyHeaderInvalid, now);
        }

        _awaitsProxyHeader = false;
        record.Tuple = addresses ?? record.Tuple;
        if (!_listener.Allows(record.Tuple.Source.Address))
        {
            return Refuse(ref record, CloseReason.Denied, now);
        }

        return ClientKnown(ref record, now);
    }

    /// <summary>What <see cref="Inspects"/> asks for was read completely: decides where the connection goes.</summary>
    /// <param name="newest">The snapshot in force: it decides from now on.</param>
    /// <returns><see cref="SetupAction.Inspect"/> if that asks for something else: the same bytes have to be read again.</returns>
    public SetupStep HeadRead(ref ConnectionRecord record, scoped in Inspected inspected, RoutingSnapshot newest, Instant now)
    {
        InspectKind read = Inspects;
        Renew(ref record, newest);
        return Inspects == read ? Decide(ref record, inspected, now) : InspectOrRoute(ref record, now);
    }

    /// <summary>
    /// What the client sends cannot be read: it is something else, malformed or too long, or the client has finished before its end.
    /// </summary>
    /// <param name="newest">The snapshot in force: it decides from now on.</param>
    /// <returns>The way to the listener's pool, or a refusal (<c>inspect_failed</c>); without its PROXY header always a refusal.</returns>
    public SetupStep HeadUnreadable(ref ConnectionRecord record, RoutingSnapshot newest, Instant now)
    {
        if (_awaitsProxyHeader)
        {
            return Refuse(ref record, CloseReason.ProxyHeaderInvalid, now);
        }

        InspectKind read = Inspects;
        Renew(ref record, newest);
        return Inspects != read ? InspectOrRoute(ref record, now)
            : _listener.Settings.InspectFailed == InspectFailed.Refuse ? Refuse(ref record, CloseReason.InspectInvalid, now)
            : Decide(ref record, default, now);
    }

    // The client is known: its limits are checked, and what it sends is read if that has to be known.
    private SetupStep ClientKnown(ref ConnectionRecord record, Instant now)
    {
        CloseReason whyNot = Admission.CheckSource(ref record, _listener, now);
        if (whyNot != CloseReason.None)
        {
            return Refuse(ref record, whyNot, now);
        }

        return InspectOrRoute(ref record, now);
    }

    private SetupStep InspectOrRoute(ref ConnectionRecord record, Instant now)
    {
        _inspecting = Inspects != InspectKind.None;
        return _inspecting ? SetupStep.Inspect(_inspectUntil) : Decide(ref record, default, now);
    }

    private SetupStep Decide(ref ConnectionRecord record, scoped in Inspected inspected, Instant now)
    {
        _inspecting = false;
        _route = _listener.RouteOf(record.Tuple, inspected);
        record.Origin = _route.Origin;
        Pool pool = _route.Pool;
        if (!pool.Key.IsTuple && pool.UsesKey)
        {
            _key = KeyOf(pool.Key, record.Tuple, inspected);
            if (_key is null)
            {
                record.Listener.CountKeyMissing();
            }
        }

        if (Inspects != InspectKind.None)
        {
            record.Names = ClientNames.Of(inspected, pool.Key, _key);
        }

        _search = BackendSearch.Rent(pool.Sources.NextTurn());
        return TryNextBackend(ref record, now);
    }

    // Null if a named field is missing. A copy, which further attempts need; the bytes of the client are gone by then.
    private static byte[]? KeyOf(HashKey key, in FourTuple tuple, scoped in Inspected inspected)
    {
        int length = key.BufferLength(inspected.LongestValue);
        byte[]? rented = length <= ShortKey ? null : ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Span<byte> buffer = rented ?? stackalloc byte[ShortKey];
            ReadOnlySpan<byte> bytes = key.Write(tuple, inspected, buffer, out bool isMissing).Bytes;
            return isMissing ? null : bytes.ToArray();
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }

    // No client may wait for ever: "0s", no limit of its own, leaves the longest that can be set.
    private static TimeSpan InspectTime(Listener listener) =>
        listener.Settings.InspectTimeout is var timeout && timeout > TimeSpan.Zero ? timeout : ListenerSettings.LongestInspection;

    // If the engine itself stood still, the bytes may be there already: it gets the time to look at them, once.
    private SetupStep InspectionTimedOut(ref ConnectionRecord record, bool isLate, Instant now)
    {
        if (isLate && !_prolonged)
        {
            _prolonged = true;
            _inspectUntil = now + InspectTime(_listener);
            return SetupStep.Inspect(_inspectUntil);
        }

        return Refuse(ref record, _awaitsProxyHeader ? CloseReason.ProxyHeaderInvalid : CloseReason.InspectTimeout, now);
    }

    // While the client was waited for, a reload may have changed where it goes. If its listener is gone, the old snapshot decides.
    private void Renew(ref ConnectionRecord record, RoutingSnapshot newest)
    {
        if (!ReferenceEquals(newest, _snapshot) && ListenerIn(newest, record.Listener) is { } listener)
        {
            (_snapshot, _listener, _route) = (newest, listener, listener.Default);
            record.Origin = listener.Origin;
        }
    }
}
