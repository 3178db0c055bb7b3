using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Shedding;

namespace L4Balancer.Engine.Managed;

/// <summary>How those who close at a pace reach the connections of this engine: by their ids.</summary>
internal sealed class ManagedShedding(ConcurrentDictionary<ulong, ManagedConnection> connections) : IShedding
{
    public Task<List<ShedCandidate>> FindAsync(ShedOrder order, Func<BackendCell, bool> isMeant)
    {
        List<ShedCandidate> found = [];
        foreach ((ulong id, ManagedConnection connection) in connections)
        {
            ConnectionRecord record = connection.Record;
            if (record.IsEstablished && !connection.IsEnding && isMeant(record.Backend!.Cell))
            {
                found.Add(new ShedCandidate(record.Backend.Cell, order.Rank?.Invoke(record) ?? 0, id));
            }
        }

        return Task.FromResult(found);
    }

    public void Close(in ShedCandidate candidate, CloseReason reason, Action<bool> told) =>
        told(connections.TryGetValue(candidate.Id, out ManagedConnection? connection) && connection.Close(reason));

    public Task TurnAsync() => Task.CompletedTask;
}
