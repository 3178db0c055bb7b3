using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery;

/// <summary>A place where the backends of one pool are registered: a name server, a file, a store.</summary>
internal interface IBackendSource
{
    /// <summary>
    /// Reports every reading until it is cancelled: the first as soon as the store has answered or failed, later ones when the store changes or
    /// fails, and now and then without a change. Reconnects by itself, with a growing pause, and does not throw for what stores and networks do.
    /// </summary>
    /// <param name="report">Called for one reading at a time, on any thread; returns at once.</param>
    /// <param name="stop">Ends the watch; the task then ends within a second.</param>
    Task WatchAsync(Action<SourceReading> report, CancellationToken stop);
}
