using L4Balancer.Core.Accounting;
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

    public required ExportedDirection ToBackend { get; init; }

    public required ExportedDirection ToClient { get; init; }

    public required Instant LastActivity { get; init; }

    /// <summary>The reason where both sides end in good order: that of the side whose FIN came first; none so far.</summary>
    public required CloseReason FirstEnd { get; init; }

    /// <summary>Our FIN went to the backend before its own was known: at the end our port stays in TIME_WAIT.</summary>
    public required bool WasFirstAtBackend { get; init; }
}

/// <summary>One direction of an exported connection.</summary>
/// <param name="Unsent">Read from the source, not yet written to the sink.</param>
/// <param name="SourceEnded">The source's FIN was read.</param>
/// <param name="Done">The FIN was passed on; nothing is left to do in this direction.</param>
public sealed record ExportedDirection(ReadOnlyMemory<byte> Unsent, bool SourceEnded, bool Done);
