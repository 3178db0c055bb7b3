namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/connections.</summary>
/// <param name="Total">Number of matching connections, independent of how many are listed.</param>
internal sealed record ConnectionsAnswer(int Total, IEnumerable<ConnectionAnswer> Connections);

/// <summary>One open connection.</summary>
/// <param name="Destination">The balancer's address that the client connected to.</param>
/// <param name="Backend">Null if none was chosen yet.</param>
/// <param name="Source">The balancer's endpoint of the backend connection; null before it is connected, and for a UNIX socket.</param>
/// <param name="Generation">Generation of the configuration under which it was accepted.</param>
/// <param name="State"><c>pending</c> or <c>active</c>.</param>
/// <param name="Route">Number of the route that decided, or <c>default</c>; null if the listener has none, or none was decided on yet.</param>
/// <param name="Rule">The conditions of that route when it decided, at most 128 characters; null if it has none.</param>
/// <param name="Sni">The server name that the client asked for; null if it was not read. At most 128 bytes are shown, as of the others.</param>
/// <param name="Host">The host of its request; null if it was not read.</param>
/// <param name="Key">The values of the named parts of <c>hash_key</c>; null if there are none, or they are the server name or host.</param>
internal sealed record ConnectionAnswer(
    ulong Id, string Client, string Destination, string Listener, string Pool, string? Backend, string? Source, double AgeSeconds,
    double IdleSeconds, long BytesToBackend, long BytesToClient, long Generation, string State, string? Route = null, string? Rule = null, string? Sni = null,
    string? Host = null, string? Key = null);

/// <summary>DELETE /v1/connections/{id}: the connection is being closed.</summary>
internal sealed record ClosingAnswer(ulong Id, string Reason);

/// <summary>DELETE /v1/connections: the connections are being closed, one after the other.</summary>
/// <param name="Connections">How many established connections matched.</param>
internal sealed record ClosingManyAnswer(int Connections, string Reason);

/// <summary>GET /v1/ages: the ages of the established connections.</summary>
/// <param name="At">Time of the count.</param>
/// <param name="BoundsSeconds">Upper bounds in ascending order.</param>
/// <param name="Counts">One count more than there are bounds: the last counts connections older than all bounds.</param>
internal sealed record AgesAnswer(DateTime At, IReadOnlyList<double> BoundsSeconds, IReadOnlyList<long> Counts);
