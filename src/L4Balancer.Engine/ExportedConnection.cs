using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine;

/// <summary>
/// An established connection on its way between two engines: its two sockets, the bytes read but not yet written, and its state. In a
/// <see cref="FrozenSlice"/> the descriptors belong to the engine that has frozen it; what is given to <see cref="IEngine.AdoptAsync"/>
/// belongs to the adopting engine, so a second process needs duplicates (SCM_RIGHTS).
/// </summary>
public sealed record ExportedConnection
{
    /// <summary>The record when it was frozen: bytes relayed so far, times, listener, backend.</summary>
    public required ConnectionRecord Record { get; init; }

    /// <summary>Descriptor of the client's socket; non-blocking.</summary>
    public required int Client { get; init; }

    /// <summary>Descriptor of the backend's socket; non-blocking.</summary>
    public required int Backend { get; init; }

    /// <summary>The client's socket is a UNIX socket. The client in the record may be another one, from a PROXY header.</summary>
    public bool ClientIsUnix { get; init; }

    /// <summary>
    /// The options of the backend's socket that an engine sets late (keepalive, and those for more than one write) may be missing, because nobody
    /// knows whether the engine before came to set them.
    /// </summary>
    public bool LacksOptions { get; init; }

    /// <summary>Bytes read from the client and not yet written to the backend. Empty if there is a <see cref="PipeToBackend"/>.</summary>
    public ReadOnlyMemory<byte> ToBackend { get; init; }

    /// <summary>Bytes read from the backend and not yet written to the client. Empty if there is a <see cref="PipeToClient"/>.</summary>
    public ReadOnlyMemory<byte> ToClient { get; init; }

    /// <summary>The pipe that holds the bytes for the backend; null: none does.</summary>
    public ExportedPipe? PipeToBackend { get; init; }

    /// <summary>The pipe that holds the bytes for the client; null: none does.</summary>
    public ExportedPipe? PipeToClient { get; init; }

    /// <summary>When a byte was last moved (CLOCK_MONOTONIC, valid in any process of the same boot).</summary>
    public required Instant LastActivity { get; init; }

    /// <summary>Which sides have sent FIN, and the maximum age of the connection.</summary>
    public required ConnectionEnd End { get; init; }
}

/// <summary>A pipe (pipe(7)) with bytes of one direction of a connection, as splice(2) has put them there.</summary>
/// <param name="ReadEnd">Descriptor; non-blocking.</param>
/// <param name="WriteEnd">Descriptor; non-blocking.</param>
/// <param name="Capacity">In bytes, as fcntl(2) with F_GETPIPE_SZ says.</param>
/// <param name="Held">Bytes in the pipe, as ioctl(2) with FIONREAD says.</param>
public readonly record struct ExportedPipe(int ReadEnd, int WriteEnd, int Capacity, int Held);
