using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/status: the state of the process, with totals.</summary>
/// <param name="Host">The name of the host that the daemon runs on.</param>
/// <param name="Commit">The commit of the build; <c>unknown</c> for a build outside a checkout.</param>
/// <param name="Ready">Same as /readyz: false during shutdown.</param>
/// <param name="Fleet">Null without <c>[fleet]</c>.</param>
/// <param name="Upgrade">The upgrade that is under way, or the last one; null if there was none.</param>
/// <param name="PacketsDropped">Packets of packet listeners that were dropped, by reason; not sent without one.</param>
/// <param name="Accepted">Connections accepted since the start, over all listeners.</param>
/// <param name="Refused">Refused connections by reason, over all listeners.</param>
/// <param name="Closed">Closed connections by reason, over all backends.</param>
internal sealed record StatusAnswer(
    string Host, string Version, string Commit, string Runtime, string Engine, int Pid, DateTime StartedAt, double UptimeSeconds, bool Ready,
    long Generation, OpenAnswer Connections, long Accepted, IReadOnlyDictionary<string, long> Refused,
    IReadOnlyDictionary<string, long> Closed, long BytesToBackend, long BytesToClient, IReadOnlyList<ListenerAnswer> Listeners,
    IReadOnlyList<PoolAnswer> Pools, IReadOnlyList<WorkerAnswer> Workers, DescriptorsAnswer Descriptors,
    IReadOnlyList<SourcePortsAnswer> SourcePorts, FleetStatusAnswer? Fleet = null, UpgradeAnswer? Upgrade = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, long>? PacketsDropped = null);

/// <summary>Open connections.</summary>
/// <param name="Pending">Connections without a connected backend yet.</param>
/// <param name="Limit">The maximum of both together.</param>
internal sealed record OpenAnswer(int Pending, int Active, int Limit);

/// <summary>One listener.</summary>
/// <param name="Addresses">The addresses it is bound to, with the ports that the kernel assigned.</param>
/// <param name="Open">Pending and active connections.</param>
internal sealed record ListenerAnswer(
    string Name, string Pool, IReadOnlyList<string> Addresses, long Accepted, int Pending, int Open, IReadOnlyDictionary<string, long> Refused,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PacketListenerAnswer? Packets = null);

/// <summary>A listener whose packets are sent on.</summary>
/// <param name="Interface">Where they arrive and leave.</param>
/// <param name="Forward"><c>l2</c> or <c>ipip</c>.</param>
/// <param name="Attachment">How the interface is attached to, in words; empty if it is not.</param>
/// <param name="Flows">How many flows are remembered.</param>
/// <param name="FlowsLimit">How many can be; 0: none.</param>
internal sealed record PacketListenerAnswer(string Interface, string Forward, string Attachment, long Flows, int FlowsLimit);

/// <summary>One pool, with the number of its backends by state and their connections.</summary>
/// <param name="TakesConnections">Whether any backend takes new connections; without one they are refused.</param>
/// <param name="Rebalance">The rebalance that runs; null if there is none.</param>
/// <param name="Discovery">The source of its backends; null if the pool has none.</param>
internal sealed record PoolAnswer(
    string Name, string Balance, int Backends, int Up, int Degraded, int Down, int Draining, int Maintenance, int Checking, long Connections,
    bool TakesConnections, RebalancingAnswer? Rebalance, DiscoveryAnswer? Discovery);

/// <summary>The source of the backends of one pool.</summary>
/// <param name="Source">The key that names it: <c>dns</c>, <c>file</c>, and so on.</param>
/// <param name="Backends">How many it is believed to have.</param>
/// <param name="Version">The store's name for the state that was read; empty if it has none.</param>
/// <param name="AgeSeconds">Since the source was last readable; since the watch began if it never was.</param>
/// <param name="Errors">Readings that said nothing.</param>
/// <param name="Warning">Why the latest reading says nothing; null if it does.</param>
/// <param name="Held">A set that is not believed yet; null if there is none.</param>
internal sealed record DiscoveryAnswer(
    string Source, int Backends, string Version, double AgeSeconds, long Errors, string? Warning, HeldSetAnswer? Held);

/// <summary>A set that is empty or has less than half of the backends in use.</summary>
/// <param name="SinceSeconds">Since a set like it was first read.</param>
internal sealed record HeldSetAnswer(int Backends, string Version, double SinceSeconds);

/// <summary>One event loop.</summary>
internal sealed record WorkerAnswer(int Worker, int Connections, double CpuSeconds);

/// <summary>Local ports of one source address, towards the destination with the most ports in use.</summary>
/// <param name="SourceIp"><c>auto</c> if the kernel chooses.</param>
/// <param name="InUse">Ports of connections, and ports in TIME_WAIT for less than a minute.</param>
/// <param name="Limit">Null if the platform does not report it.</param>
internal sealed record SourcePortsAnswer(string SourceIp, string Destination, int InUse, int? Limit);

/// <summary>File descriptors of the process.</summary>
/// <param name="Open">Null if the platform does not report it.</param>
/// <param name="Limit">Null if the platform has none.</param>
internal sealed record DescriptorsAnswer(long? Open, long? Limit);
