using L4Balancer.Core.Accounting;
using L4Balancer.Engine.Shedding;

namespace L4Balancer.Engine.Loop;

/// <summary>Gives paced closes access to the connections of the workers: finds them by <see cref="ConnectionScan"/>, closes them by slot.</summary>
internal sealed class LoopShedding(IReadOnlyList<Worker> workers) : IShedding
{
    public async Task<List<ShedCandidate>> FindAsync(ShedOrder order, Func<BackendState, bool> isMeant)
    {
        List<ShedCandidate> found = [];
        foreach (Worker worker in workers)
        {
            for (int from = 0; from != ConnectionScan.Over;)
            {
                int start = from;
                from = await worker.AskAsync(w => Find(w, start, order, isMeant, found), afterwards: ConnectionScan.Over).ConfigureAwait(false);
            }
        }

        return found;
    }

    public void Close(in ShedCandidate candidate, CloseReason reason, Action<bool> told)
    {
        (int index, uint generation) = (candidate.Index, candidate.Generation);
        bool posted = workers[candidate.Worker].Mailbox.TryPost(worker =>
        {
            ref Slot slot = ref worker.Slots[index];
            told(slot.MayBeClosed && slot.Generation == generation && worker.Closer.CloseGuarded(index, reason));
        });
        if (!posted)
        {
            told(false);
        }
    }

    public Task PingLoopsAsync() => Task.WhenAll(workers.Select(w => w.AskAsync(static _ => true, afterwards: true)));

    private static int Find(Worker worker, int from, ShedOrder order, Func<BackendState, bool> isMeant, List<ShedCandidate> found)
    {
        int end = ConnectionScan.EndOf(worker, from);
        for (int index = from; index < end; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.MayBeClosed && !slot.End.HasCause && slot.Record.Backend is { } backend && isMeant(backend)
                && (order.Filter is null || order.Filter(slot.Record)))
            {
                long rank = order.Rank?.Invoke(slot.Record) ?? 0;
                found.Add(new ShedCandidate(backend, rank, slot.Record.Id, worker.Number, index, slot.Generation));
            }
        }

        return ConnectionScan.NextAfter(worker, end);
    }
}
