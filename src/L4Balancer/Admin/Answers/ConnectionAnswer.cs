namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/connections.</summary>
/// <param name="Total">How many match, however many of them are listed.</param>
internal sealed record ConnectionsAnswer(int Total, IEnumerable<ConnectionAnswer> Connections);

/// <summary>One open connection.</summary>
/// <param name="Destination">The address of ours that the client connected to.</param>
/// <param name="Backend">Null where none was picked yet.</param>
/// <param name="Source">Our side towards the backend; null until it is connected.</param>
/// <param name="Generation">Of the configuration that admitted it.</param>
/// <param name="State"><c>pending</c> or <c>active</c>.</param>
internal sealed record ConnectionAnswer(
    ulong Id, string Client, string Destination, string Listener, string Pool, string? Backend, string? Source, double AgeSeconds,
    double IdleSeconds, long BytesToBackend, long BytesToClient, long Generation, string State);

/// <summary>DELETE /v1/connections/{id}: it is being closed.</summary>
internal sealed record ClosingAnswer(ulong Id, string Reason);
