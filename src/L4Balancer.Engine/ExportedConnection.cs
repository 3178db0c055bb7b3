using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine;

/// <summary>
/// An established connection on its way between two engines: its two sockets, the bytes read but not yet written, and its state. The
/// holder of this object owns the sockets.
/// </summary>
public sealed record ExportedConnection
{
    /// <summary>The record at the time of the export: bytes relayed so far, times, listener, backend.</summary>
    public required ConnectionRecord Record { get; init; }

    /// <summary>Descriptor of the client's socket.</summary>
    public required int Client { get; init; }

    /// <summary>Descriptor of the backend's socket.</summary>
    public required int Backend { get; init; }

    /// <summary>Bytes read from the client and not yet written to the backend.</summary>
    public required ReadOnlyMemory<byte> ToBackend { get; init; }

    /// <summary>Bytes read from the backend and not yet written to the client.</summary>
    public required ReadOnlyMemory<byte> ToClient { get; init; }

    public required Instant LastActivity { get; init; }

    /// <summary>Which sides have sent FIN, and the maximum age of the connection.</summary>
    public required ConnectionEnd End { get; init; }
}
