using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/backends.</summary>
internal sealed record BackendsAnswer(IEnumerable<BackendAnswer> Backends);

/// <summary>One backend of one pool.</summary>
/// <param name="State"><c>up</c>, <c>degraded</c>, <c>down</c>, <c>draining</c>, <c>maintenance</c> or <c>checking</c>.</param>
/// <param name="Since">When it entered this state; null if that is not known.</param>
/// <param name="StateSeconds">How long it has been in this state, in seconds; null if that is not known.</param>
/// <param name="TakesConnections">Whether new connections may go there; true for a backup also while primaries serve.</param>
/// <param name="Address">The address as written in the file.</param>
/// <param name="Host">The host name in the address; null if the address is an IP address.</param>
/// <param name="ResolvedAddress">The address used for connects; null if the host name has no address.</param>
/// <param name="Resolved">False if the host name has no address, or its latest look-up failed; the address known before may still be in use.</param>
/// <param name="ResolveError">Why the latest look-up failed; empty if it succeeded, or if the address is an IP address.</param>
/// <param name="Host">The host name in the address; null if the address is an IP address.</param>
/// <param name="Weight">The active weight.</param>
/// <param name="Connections">Established connections.</param>
/// <param name="ShareRatio">
/// Its connections relative to its fair share; for a backup that holds some while primaries serve, to the share that it would have as one of
/// them. Null if it has no share.
/// </param>
/// <param name="Shed">Connections that the balancer began to close at a limited rate, by reason.</param>
/// <param name="Shedding">The paced close in progress; null if there is none.</param>
/// <param name="InConfiguration">False if the backend was removed from the file and still has connections.</param>
/// <param name="ModeSet">Who set the mode at run time. Not sent if nobody did.</param>
/// <param name="WeightSet">Who set the weight at run time. Not sent if nobody did.</param>
/// <param name="Packets">What packet listeners have sent on to it. Not sent if none has its pool.</param>
/// <param name="Warning">In the answer to a change: what the change has done to the pool. Not sent if there is nothing to warn about.</param>
internal sealed record BackendAnswer(
    string Pool, string Name, string Address, string? ResolvedAddress, bool Resolved, string ResolveError, string? Host, string State, DateTime? Since,
    double? StateSeconds, bool TakesConnections, int Weight,
    bool Backup, int Connections, double? ShareRatio, long ConnectAttempts, IReadOnlyDictionary<string, long> ConnectFailures,
    IReadOnlyDictionary<string, long> Closed,
    IReadOnlyDictionary<string, long> Shed, SheddingAnswer? Shedding, long BytesToBackend, long BytesToClient, HealthAnswer Health, bool InConfiguration,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] OriginAnswer? ModeSet = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] OriginAnswer? WeightSet = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Warning = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PacketBackendAnswer? Packets = null);

/// <summary>What packet listeners have sent on to a backend.</summary>
/// <param name="Bytes">With the Ethernet headers.</param>
/// <param name="Mac">Of the backend, or of the router towards it; null while it is not known, and its packets are dropped or go elsewhere.</param>
internal sealed record PacketBackendAnswer(long Packets, long Bytes, string? Mac);

/// <summary>Results of the probes of a backend.</summary>
/// <param name="LocalErrors">Probes that were inconclusive because the balancer lacked a resource.</param>
/// <param name="LastTransition">When it last changed between up, degraded and down; null if it has not.</param>
/// <param name="Detail">Why it is degraded or down; empty if it is up.</param>
/// <param name="LastProbe">Null before the first one has ended.</param>
internal sealed record HealthAnswer(
    long Succeeded, long Failed, long LocalErrors, long Transitions, DateTime? LastTransition, string Detail, ProbeAnswer? LastProbe);

/// <summary>The result of a probe.</summary>
/// <param name="Outcome">
/// <c>success</c>, <c>failure</c>, <c>unfit</c> (connected, but the answer was not as expected) or <c>local_error</c>.
/// </param>
/// <param name="Detail">The reason for a failure; empty for a success.</param>
internal sealed record ProbeAnswer(DateTime At, string Outcome, string Detail);

/// <summary>PUT …/weight.</summary>
/// <param name="Weight">0 to 1000; 0: no new connections.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record WeightRequest([property: JsonRequired] int Weight);
