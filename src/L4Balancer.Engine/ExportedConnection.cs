using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine;

/// <summary>
/// An established connection between two engines: its two sockets, what was read and not yet written, and what is known of it. Whoever
/// holds this owns the sockets.
/// </summary>
public sealed record ExportedConnection
{
    /// <summary>As it stands: bytes relayed so far, times, listener, backend.</summary>
    public required ConnectionRecord Record { get; init; }

    /// <summary>Descriptor of the client's socket.</summary>
    public required int Client { get; init; }

    /// <summary>Descriptor of the backend's socket.</summary>
    public required int Backend { get; init; }

    /// <summary>Read from the client, and not written to the backend yet.</summary>
    public required ReadOnlyMemory<byte> ToBackend { get; init; }

    /// <summary>Read from the backend, and not written to the client yet.</summary>
    public required ReadOnlyMemory<byte> ToClient { get; init; }

    public required Instant LastActivity { get; init; }

    /// <summary>Who has finished, and how old it may become.</summary>
    public required ConnectionEnd End { get; init; }
}
