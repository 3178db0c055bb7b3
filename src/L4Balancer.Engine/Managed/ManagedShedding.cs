using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Shedding;

namespace L4Balancer.Engine.Managed;

/// <summary>How those who close at a pace reach the connections of this engine: by their ids.</summary>
internal sealed class ManagedShedding(ConcurrentDictionary<ulong, ManagedConnection> connections) : IShedding
{
    /// <summary>Bytes that are allocated before we collect; left to itself the runtime waits for tens of megabytes.</summary>
    private const long BetweenCollections = 3 * 1024 * 1024;

    private long _allocated;

    public Task<List<ShedCandidate>> FindAsync(ShedOrder order, Func<BackendCell, bool> isMeant)
    {
        List<ShedCandidate> found = [];
        foreach ((ulong id, ManagedConnection connection) in connections)
        {
            ConnectionRecord record = connection.Record;
            if (record.IsEstablished && !connection.IsEnding && record.Backend is { } backend && isMeant(backend))
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

    public Task TurnAsync() => Task.CompletedTask;

    // With thousands of connections a collection of what has gathered by itself stands still for 40 ms and more, which a pace cannot make
    // up for; one that comes early, between two closes, for about 10. Not by a smaller budget for the whole process
    // (System.GC.Gen0MaxBudget): with many probes that doubled p99.9 of the epoll engine.
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
