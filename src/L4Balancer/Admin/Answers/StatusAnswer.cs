namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/status: the process and its sums.</summary>
/// <param name="Commit"><c>unknown</c> in a build outside a checkout.</param>
/// <param name="Ready">As /readyz: false while it drains.</param>
/// <param name="Accepted">Connections since the start, over all listeners.</param>
/// <param name="Refused">By reason, over all listeners.</param>
/// <param name="Closed">By reason, over all backends.</param>
internal sealed record StatusAnswer(
    string Version, string Commit, string Runtime, string Engine, int Pid, DateTime StartedAt, double UptimeSeconds, bool Ready,
    long Generation, OpenAnswer Connections, long Accepted, IReadOnlyDictionary<string, long> Refused,
    IReadOnlyDictionary<string, long> Closed, long BytesToBackend, long BytesToClient, IReadOnlyList<ListenerAnswer> Listeners,
    IReadOnlyList<PoolAnswer> Pools, IReadOnlyList<WorkerAnswer> Workers, DescriptorsAnswer Descriptors,
    IReadOnlyList<SourcePortsAnswer> SourcePorts);

/// <summary>Connections that are open.</summary>
/// <param name="Pending">No backend is connected yet.</param>
/// <param name="Limit">Of both together.</param>
internal sealed record OpenAnswer(int Pending, int Active, int Limit);

/// <summary>One listener.</summary>
/// <param name="Addresses">Where it is bound, with the ports that the kernel chose.</param>
/// <param name="Open">Pending and active.</param>
internal sealed record ListenerAnswer(
    string Name, string Pool, IReadOnlyList<string> Addresses, long Accepted, int Pending, int Open, IReadOnlyDictionary<string, long> Refused);

/// <summary>One pool: how many of its backends stand how, and what they hold together.</summary>
internal sealed record PoolAnswer(
    string Name, string Balance, int Backends, int Up, int Degraded, int Down, int Draining, int Maintenance, long Connections);

/// <summary>One event loop.</summary>
internal sealed record WorkerAnswer(int Worker, int Connections, double CpuSeconds);

/// <summary>Local ports of one address that is connected from, towards its fullest destination.</summary>
/// <param name="SourceIp"><c>auto</c> where the kernel chooses.</param>
/// <param name="InUse">Of connections, and in TIME_WAIT under a minute ago.</param>
/// <param name="Limit">Null where the platform does not say.</param>
internal sealed record SourcePortsAnswer(string SourceIp, string Destination, int InUse, int? Limit);

/// <summary>File descriptors of the process.</summary>
/// <param name="Open">Null where the platform does not say.</param>
/// <param name="Limit">Null where the platform has none.</param>
internal sealed record DescriptorsAnswer(long? Open, long? Limit);
