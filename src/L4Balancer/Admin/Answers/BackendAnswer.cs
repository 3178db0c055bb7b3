namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/backends.</summary>
internal sealed record BackendsAnswer(IEnumerable<BackendAnswer> Backends);

/// <summary>One backend of one pool.</summary>
/// <param name="State"><c>up</c>, <c>degraded</c>, <c>down</c>, <c>draining</c> or <c>maintenance</c>.</param>
/// <param name="Address">As the file has it.</param>
/// <param name="ResolvedAddress">Where it is connected to; null where its host name stands for no address.</param>
/// <param name="Weight">In force.</param>
/// <param name="Connections">Established.</param>
/// <param name="ShareRatio">Its connections against its fair share; null where it is to hold none.</param>
/// <param name="Shed">Connections that the balancer has begun to close at a pace, by reason.</param>
/// <param name="Shedding">Null where none is being closed at a pace.</param>
/// <param name="InConfiguration">False where the file has lost it and its connections finish.</param>
internal sealed record BackendAnswer(
    string Pool, string Name, string Address, string? ResolvedAddress, string State, int Weight, bool Backup, int Connections, double? ShareRatio,
    long ConnectAttempts, IReadOnlyDictionary<string, long> ConnectFailures, IReadOnlyDictionary<string, long> Closed,
    IReadOnlyDictionary<string, long> Shed, SheddingAnswer? Shedding, long BytesToBackend, long BytesToClient, HealthAnswer Health, bool InConfiguration);

/// <summary>What the probes of a backend came to.</summary>
/// <param name="LocalErrors">Probes that a shortage of ours kept from saying anything.</param>
/// <param name="Detail">Why it is degraded or down; empty where it is up.</param>
/// <param name="LastProbe">Null until one has ended.</param>
internal sealed record HealthAnswer(long Succeeded, long Failed, long LocalErrors, long Transitions, string Detail, ProbeAnswer? LastProbe);

/// <summary>How a probe ended.</summary>
/// <param name="Outcome"><c>success</c>, <c>failure</c>, <c>unfit</c> (connected, but no good answer) or <c>local_error</c>.</param>
/// <param name="Detail">Why it failed; empty for a success.</param>
internal sealed record ProbeAnswer(DateTime At, string Outcome, string Detail);
