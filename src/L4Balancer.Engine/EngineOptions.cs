using L4Balancer.Core.Connections;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine;

/// <summary>What every engine is given.</summary>
public sealed record EngineOptions
{
    public required TimeProvider Clock { get; init; }

    public required IRecordSink Records { get; init; }

    public required ILoggerFactory Loggers { get; init; }

    /// <summary>Event-loop threads, where an engine has its own.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>
    /// Descriptors of sockets that listen already, from systemd or a process before this one; Linux only. Each serves the bind that is
    /// exactly its address; what no bind asks for is closed with a warning. They belong to the engine once it starts.
    /// </summary>
    public IReadOnlyList<int> Inherited { get; init; } = [];

    /// <summary>The most kernel pipes that one worker holds at a time, where an engine splices: two descriptors each.</summary>
    public int PipesPerWorker { get; init; } = 256;
}
