using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>Which sides of an established connection have finished. The values are part of the format between processes.</summary>
[Flags]
public enum FinishedSides : byte
{
    None = 0,

    /// <summary>The client has sent FIN.</summary>
    Client = 1,

    /// <summary>The backend has sent FIN.</summary>
    Backend = 2,

    /// <summary>The client's FIN went on to the backend.</summary>
    PassedToBackend = 4,

    /// <summary>The backend's FIN went on to the client.</summary>
    PassedToClient = 8,

    /// <summary>The balancer sent FIN to the backend before it knew of the backend's own: the local port will stay in TIME_WAIT.</summary>
    FirstAtBackend = 16,

    /// <summary>If both have finished, or only the backend has: the backend was first, which is the reason of the end.</summary>
    BackendWasFirst = 32,

    /// <summary>What has ended, without the order.</summary>
    All = Client | Backend | PassedToBackend | PassedToClient,
}

/// <summary>What is to be known of a <see cref="ConnectionEnd"/> by another process that goes on with the connection.</summary>
/// <param name="AcknowledgedAt">When a peer that reads slowly last acknowledged bytes; zero: it was not looked at.</param>
/// <param name="AgeSlot">The time at which it is to be closed under <c>max_age</c>, if it has reserved one; zero: none.</param>
public readonly record struct EndState(FinishedSides Sides, Instant AcknowledgedAt = default, Instant AgeSlot = default);
