using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Loop;

/// <summary>What a worker needs of the engine that it belongs to. Any worker's thread may use it.</summary>
internal interface ILoopEngine
{
    EngineOptions Options { get; }

    ILogger Log { get; }

    /// <summary>The snapshot that was published last.</summary>
    RoutingSnapshot Snapshot { get; }

    /// <summary>The engine has stopped accepting.</summary>
    bool IsStopping { get; }

    /// <summary>A poller for one worker.</summary>
    /// <exception cref="InvalidOperationException">The kernel provides none: descriptors or memory are exhausted.</exception>
    IPoller CreatePoller();

    /// <summary>
    /// The worker that will serve the next connection: the accepting one, unless it holds over a tenth more than the least loaded one.
    /// </summary>
    Worker LeastLoadedFor(Worker accepting);

    /// <summary>Called after the number of a worker's connections has decreased.</summary>
    void CompleteIfEmpty();
}
