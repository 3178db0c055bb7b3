using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Shedding;

namespace L4Balancer.Engine.Managed;

/// <summary>Gives paced closes access to the connections of this engine, by their ids.</summary>
internal sealed class ManagedShedding(ConcurrentDictionary<ulong, ManagedConnection> connections) : IShedding
{
    /// <summary>Bytes allocated before a collection is forced; by itself the runtime collects only after tens of megabytes.</summary>
    private const long BetweenCollections = 3 * 1024 * 1024;

    private long _allocated;

    public Task<List<ShedCandidate>> FindAsync(ShedOrder order, Func<BackendState, bool> isMeant)
    {
        List<ShedCandidate> found = [];
        foreach ((ulong id, ManagedConnection connection) in connections)
        {
            ConnectionRecord record = connection.Record;
            if (record.IsEstablished && !connection.IsEnding && record.Backend is { } backend && isMeant(backend)
                && (order.Filter is null || order.Filter(record)))
            {
                found.Add(new ShedCandidate(backend, order.Rank?.Invoke(record) ?? 0, id));
            }
        }

        CollectIfDue();
        return Task.FromResult(found);
    }

    public void Close(in ShedCandidate candidate, CloseReason reason, Action<bool> told)
    {
        told(connections.TryGetValue(candidate.Id, out ManagedConnection? connection) && connection.Close(reason));
        CollectIfDue();
    }

    public Task PingLoopsAsync() => Task.CompletedTask;

    // With thousands of connections, a collection started by the runtime pauses for 40 ms and more, which the rate limiter cannot make up
    // for; an early one, between two closes, pauses for about 10. A smaller budget for the whole process (System.GC.Gen0MaxBudget) is no
    // alternative: with many probes it doubled p99.9 of the epoll engine.
    private void CollectIfDue()
    {
        long allocated = GC.GetTotalAllocatedBytes();
        if (allocated - Volatile.Read(ref _allocated) >= BetweenCollections)
        {
            Volatile.Write(ref _allocated, allocated);
            GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        }
    }
}
