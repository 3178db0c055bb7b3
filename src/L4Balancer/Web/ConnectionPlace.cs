using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Web;

/// <summary>One connection to a web host, among the others of its listening address. Any thread.</summary>
internal sealed class ConnectionPlace
{
    private readonly ConnectionPlaces _among;
    private readonly ConnectionContext _connection;

    /// <param name="source">The client's address, or its /64; null for the local socket.</param>
    internal ConnectionPlace(ConnectionPlaces among, ConnectionContext connection, HostAddress? source, bool isTrusted, Instant now)
    {
        _among = among;
        _connection = connection;
        Source = source;
        IsTrusted = isTrusted;
        IdleSince = now;
    }

    /// <summary>An IPv4 address or the network of an IPv6 /64; null if the client came over the local socket.</summary>
    public HostAddress? Source { get; }

    /// <summary>Whether the last token sent over this connection was the right one, or it came over the local socket.</summary>
    public bool IsTrusted { get; private set; }

    /// <summary>Since when no request has been answered. Only <see cref="ConnectionPlaces"/> changes it, under its lock.</summary>
    internal Instant IdleSince { get; set; }

    internal bool IsBusy { get; set; }

    /// <summary>Whether a request has come. As all that follow, only <see cref="ConnectionPlaces"/> changes it, under its lock.</summary>
    internal bool HasAsked { get; set; }

    internal bool IsInRequest { get; set; }

    internal bool Stays { get; set; }

    /// <summary>The place of the request's connection; null if the host does not limit its connections.</summary>
    public static ConnectionPlace? Of(HttpContext http) => http.Features.Get<ConnectionPlace>();

    /// <summary>The client has shown the token.</summary>
    public void Trust() => IsTrusted = true;

    /// <summary>The client has sent a wrong token: what it showed before no longer counts. The local socket needs none.</summary>
    public void Distrust() => IsTrusted = Source is null;

    /// <summary>Takes up an answer: from now on the connection is not closed to make room.</summary>
    /// <param name="isHealth">Whether a health check is answered, which no limit concerns.</param>
    /// <returns>False if too many other answers are under way: the request is to be refused.</returns>
    public bool TryBegin(bool isHealth) => _among.TryBegin(this, isHealth);

    /// <summary>The answer is done.</summary>
    public void End() => _among.End(this);

    /// <summary>A pause of the server neither waits for this connection nor ends it before its request is answered.</summary>
    public void Stay() => _among.Stay(this);

    internal void BeginRequest() => _among.BeginRequest(this);

    internal void EndRequest() => _among.EndRequest(this);

    /// <summary>No further request is answered.</summary>
    internal void Finish() => _connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();

    internal void Close(string why) => _connection.Abort(new ConnectionAbortedException(why));
}
