using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Web;

/// <summary>
/// The connections of one listening address of a web host. At a limit the connection that has been idle longest makes room, first among
/// those of the same source, so that silent connections do not keep others out; a connection on which nothing arrives within
/// <see cref="FirstByteWithin"/> is closed. Kestrel's own limit refuses new connections instead, and its time limit for a request begins
/// with the first byte. Any thread.
/// </summary>
internal sealed partial class ConnectionPlaces(PlaceLimits limits, TimeProvider clock, ILogger log)
{
    public static readonly TimeSpan FirstByteWithin = TimeSpan.FromSeconds(10);

    /// <summary>One site (RFC 6177).</summary>
    private const int SourceBits = 64;

    /// <summary>
    /// SO_SNDBUF of a connection in bytes. What the kernel holds counts as read for the minimum rate of an answer; by itself it would hold
    /// up to 4 MB for a reader that does not read (tcp(7), tcp_wmem).
    /// </summary>
    private const int SendBuffer = 128 * 1024;

    private readonly Lock _gate = new();
    private readonly List<ConnectionPlace> _places = [];
    private readonly PacedNotice _notice = new(clock);

    /// <summary>Open connections.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _places.Count;
            }
        }
    }

    /// <summary>Serves the connections of this address; to be called before other middleware is added.</summary>
    public void Limit(ListenOptions listen) => listen.Use(next => connection => ServeAsync(connection, next));

    /// <summary>
    /// Whether the answer may begin. At a limit it is refused, and logged. A health check always may, and its connection is still one that can
    /// be closed to make room: it must not keep others away by not reading.
    /// </summary>
    internal bool TryBegin(ConnectionPlace place, bool isHealth)
    {
        if (isHealth)
        {
            return true;
        }

        lock (_gate)
        {
            if (MayBegin(place))
            {
                place.IsBusy = true;
                return true;
            }
        }

        LogLimit(place.Source, "a request was refused (503)");
        return false;
    }

    internal void End(ConnectionPlace place)
    {
        Instant now = Instant.Now(clock);
        lock (_gate)
        {
            place.IsBusy = false;
            place.IdleSince = now;
        }
    }

    private async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (Take(connection) is not ConnectionPlace place)
        {
            NoteEmpty();
            connection.Abort(new ConnectionAbortedException("too many connections"));
            return;
        }

        try
        {
            connection.Features.Set(place);
            BoundSendBuffer(connection);
            if (await BeginsAsync(connection))
            {
                await next(connection);
            }
        }
        finally
        {
            lock (_gate)
            {
                _places.Remove(place);
                NoteEmpty();
            }
        }
    }

    /// <returns>Null if every connection that could make room is busy.</returns>
    private ConnectionPlace? Take(ConnectionContext connection)
    {
        HostAddress? source = SourceOf(connection.RemoteEndPoint);
        var place = new ConnectionPlace(this, connection, source, isTrusted: source is null, Instant.Now(clock));
        ConnectionPlace? leaves = null;
        string effect = "";
        lock (_gate)
        {
            _expected = Math.Max(0, _expected - 1);
            bool isFullOfSource = _places.Count(p => IsUntrustedOf(p, source)) >= limits.PerSource;
            if (isFullOfSource)
            {
                leaves = LongestIdle(p => IsUntrustedOf(p, source));
                effect = "its oldest idle one was closed";
            }
            else if (_places.Count >= limits.Most)
            {
                leaves = LongestIdle(p => !p.IsTrusted) ?? LongestIdle(_ => true);
                effect = "the oldest idle one of all was closed";
            }

            if (leaves is not null)
            {
                _places.Remove(leaves);
            }

            if (_places.Count < limits.Most && (leaves is not null || !isFullOfSource))
            {
                _places.Add(place);
            }
            else
            {
                (place, effect) = (null, "it was refused");
            }
        }

        leaves?.Close("closed to make room for another connection");
        if (effect.Length > 0)
        {
            LogLimit(source, effect);
        }

        return place;
    }

    // Under the lock.
    private bool MayBegin(ConnectionPlace place) =>
        _places.Count(p => p.IsBusy) < limits.Busy
        && (place.IsTrusted
            || (_places.Count(p => p.IsBusy && !p.IsTrusted) < limits.BusyUntrusted
                && _places.Count(p => p.IsBusy && IsUntrustedOf(p, place.Source)) < limits.BusyPerSource));

    // Under the lock.
    private ConnectionPlace? LongestIdle(Func<ConnectionPlace, bool> among) =>
        _places.Where(p => !p.IsBusy && among(p)).MinBy(p => p.IdleSince);

    private static bool IsUntrustedOf(ConnectionPlace place, HostAddress? source) => !place.IsTrusted && place.Source == source;

    /// <summary>Waits for the first byte and leaves it to the server.</summary>
    private async Task<bool> BeginsAsync(ConnectionContext connection)
    {
        using var late = new CancellationTokenSource(FirstByteWithin, clock);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(late.Token, connection.ConnectionClosed, StoppingOf(connection));
        try
        {
            ReadResult read = await connection.Transport.Input.ReadAsync(ends.Token);
            bool begins = !read.Buffer.IsEmpty;
            connection.Transport.Input.AdvanceTo(read.Buffer.Start);
            return begins;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Nothing came in time, the server stops, or the connection was closed or reset.
            return false;
        }
    }

    private static CancellationToken StoppingOf(ConnectionContext connection) =>
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;

    private static void BoundSendBuffer(ConnectionContext connection)
    {
        if (connection.RemoteEndPoint is not IPEndPoint || connection.Features.Get<IConnectionSocketFeature>()?.Socket is not Socket socket)
        {
            return;
        }

        try
        {
            socket.SendBufferSize = SendBuffer;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection has ended already.
        }
    }

    private static HostAddress? SourceOf(EndPoint? peer)
    {
        if (peer is not IPEndPoint { Address: IPAddress address })
        {
            return null;
        }

        HostAddress source = HostAddress.From(address);
        return source.IsV4 ? source : source.Masked(SourceBits);
    }

    private void LogLimit(HostAddress? source, string effect)
    {
        if (!_notice.MayLog(out long times))
        {
            return;
        }

        if (limits.HasToken)
        {
            log.TooManyConnections(limits.Name, source?.ToString() ?? "the local socket", effect, limits.PerSource, limits.Most, times);
        }
        else
        {
            log.TooManyClients(limits.Name, source?.ToString() ?? "", effect, limits.PerSource, limits.Most, times);
        }
    }
}
