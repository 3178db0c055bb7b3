namespace L4Balancer.Web;

/// <summary>
/// How many connections one listening address of a web host serves. A source is an IPv4 address or an IPv6 /64. Trusted are connections
/// over which the token was sent, and those of the local socket.
/// </summary>
/// <param name="Name">The key of the address for messages: <c>[admin] listen</c>.</param>
/// <param name="Most">All connections.</param>
/// <param name="PerSource">Those of one source that are not trusted.</param>
/// <param name="Busy">Connections whose request is being answered, without health checks, for which the rest is reserved.</param>
/// <param name="BusyUntrusted">As above, those that are not trusted.</param>
/// <param name="BusyPerSource">As above, those of one source that are not trusted.</param>
internal sealed record PlaceLimits(string Name, int Most, int PerSource, int Busy, int BusyUntrusted, int BusyPerSource)
{
    /// <summary>Whether there is a token that clients could send.</summary>
    public bool HasToken { get; init; } = true;

    /// <summary>For an address on which every client is answered, with the token or without.</summary>
    public static PlaceLimits ForTcp(string name, int most) =>
        new(name, most, PerSource: 12, Busy: most - (most / 8), BusyUntrusted: most * 5 / 8, BusyPerSource: 8);

    /// <summary>For an address of the public: small answers, and many clients behind one address translation.</summary>
    public static PlaceLimits ForClients(string name, int most) =>
        new(name, most, PerSource: 16, most, most, BusyPerSource: 16) { HasToken = false };

    /// <summary>For a socket file whose clients are all trusted.</summary>
    public static PlaceLimits ForLocal(string name, int most) => new(name, most, most, most - (most / 8), most, most);
}
