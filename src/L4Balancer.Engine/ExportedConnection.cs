using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

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

    /// <summary>The client's socket is a UNIX socket. The client in the record may be another one, from a PROXY header.</summary>
    public bool ClientIsUnix { get; init; }

    /// <summary>
    /// The options of the backend's socket that an engine sets late (keepalive and those for more than one write) may be missing, because nobody
    /// knows whether the engine before came to set them.
    /// </summary>
    public bool LacksOptions { get; init; }

    /// <summary>A pipe with bytes for the backend, instead of <see cref="ToBackend"/>; null: none. The holder owns its ends too.</summary>
    public ExportedPipe? PipeToBackend { get; init; }

    /// <summary>As <see cref="PipeToBackend"/>, for the client.</summary>
    public ExportedPipe? PipeToClient { get; init; }

    /// <summary>Bytes read from the client and not yet written to the backend.</summary>
    public required ReadOnlyMemory<byte> ToBackend { get; init; }

    /// <summary>Bytes read from the backend and not yet written to the client.</summary>
    public required ReadOnlyMemory<byte> ToClient { get; init; }

    public required Instant LastActivity { get; init; }

    /// <summary>Which sides have sent FIN, and the maximum age of the connection.</summary>
    public required ConnectionEnd End { get; init; }
}

/// <summary>A kernel pipe on its way between two engines. How many bytes it holds is asked of the kernel (FIONREAD).</summary>
/// <param name="ReadEnd">Descriptor of the end that is read; both ends with O_NONBLOCK and FD_CLOEXEC.</param>
/// <param name="WriteEnd">Descriptor of the other end.</param>
/// <param name="Capacity">In bytes.</param>
public readonly record struct ExportedPipe(int ReadEnd, int WriteEnd, int Capacity)
{
    internal KernelPipe ToKernelPipe() => new(ReadEnd, WriteEnd, Capacity);
}
