using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine;

/// <summary>A connection that is open, as a listing shows it.</summary>
/// <param name="Record">As it stands.</param>
/// <param name="LastActivity">The last moment at which a byte moved; until it is established, when it was accepted.</param>
public readonly record struct OpenConnection(ConnectionRecord Record, Instant LastActivity);
