using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine;

/// <summary>An open connection, as shown in a listing.</summary>
/// <param name="Record">A copy of the record at the time of the listing.</param>
/// <param name="LastActivity">When a byte was last moved; before the connection is established, when it was accepted.</param>
public readonly record struct OpenConnection(ConnectionRecord Record, Instant LastActivity);
