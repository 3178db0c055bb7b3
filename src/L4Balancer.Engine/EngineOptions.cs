using L4Balancer.Core.Connections;
using L4Balancer.Engine.Ledger;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine;

/// <summary>The settings and services that every engine is created with.</summary>
public sealed record EngineOptions
{
    /// <summary>The source of time for all deadlines and records.</summary>
    public required TimeProvider Clock { get; init; }

    /// <summary>Receives the records of connections, on the threads that move bytes: it must not block or throw.</summary>
    public required IRecordSink Records { get; init; }

    /// <summary>Creates the engine's logger.</summary>
    public required ILoggerFactory Loggers { get; init; }

    /// <summary>
    /// Number of event-loop threads, at least 1; ignored by an engine without event loops of its own. The engine does not validate it.
    /// </summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>
    /// Descriptors of sockets that already listen, from systemd or a previous process; Linux only. Each serves the bind that has exactly its
    /// address; a socket that matches no bind is closed with a warning. The engine owns the descriptors once it starts.
    /// </summary>
    public IReadOnlyList<int> Inherited { get; init; } = [];

    /// <summary>
    /// Listening sockets of a process that this one replaces, bound there for the same configuration; Linux only. Each serves the bind of its
    /// listener and address, one whose port the kernel chose included, as if it had been bound here; a socket that matches no bind is closed
    /// with a warning. The engine owns the descriptors once it starts, and the files of UNIX sockets from <see cref="IEngine.ResumeAccepting"/> on,
    /// which says that the other process no longer serves them.
    /// </summary>
    public IReadOnlyList<ListeningDescriptor> TakenOver { get; init; } = [];

    /// <summary>
    /// Memory held for peers that do not read. At its limit bytes are left in the kernel until their receiver takes them; none is lost. The
    /// default has no limit.
    /// </summary>
    public HeldMemory Held { get; init; } = new(long.MaxValue);

    /// <summary>
    /// Maximum number of kernel pipes that one worker holds at a time, for an engine that splices: two descriptors each. From 0 (always copy)
    /// to 32,767; the engine does not validate it.
    /// </summary>
    public int PipesPerWorker { get; init; } = 256;

    /// <summary>
    /// Where connections and listening sockets are noted for a process that takes over after a crash; null: nowhere. Only the epoll engine writes it. It
    /// must have a part for each worker, with a place for each of its pipes, belongs to this engine alone, and is to be disposed of after the engine.
    /// </summary>
    public ConnectionLedger? Ledger { get; init; }
}
