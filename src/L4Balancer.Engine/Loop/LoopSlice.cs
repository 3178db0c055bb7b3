using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Frozen connections of some workers, each of which ends its part on its own thread. Continuations stay on the caller's thread, if it has a
/// context: connections stand still meanwhile, and threads of the pool may have to wait for a processor.
/// </summary>
internal sealed class LoopSlice : FrozenSlice
{
    private readonly List<ExportedConnection> _connections = [];
    private readonly List<(Worker Worker, List<FrozenPlace> Places)> _parts = [];
    private readonly Lock _gate = new();
    private Task<IReadOnlyList<RequestedClose>>? _end;

    private LoopSlice()
    {
    }

    public override IReadOnlyList<ExportedConnection> Connections => _connections;

    /// <summary>Freezes connections, those of the worker with the most first, so that a slice costs as few workers as possible a step.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; what was frozen thaws.</exception>
    public static async Task<LoopSlice> FreezeAsync(IReadOnlyList<Worker> workers, int most, CancellationToken cancel)
    {
        var slice = new LoopSlice();
        try
        {
            foreach (Worker worker in workers.OrderByDescending(w => w.Assigned).ToArray())
            {
                await slice.AddAsync(worker, most, cancel).ConfigureAwait(true);
            }

            return slice;
        }
        catch
        {
            // Not awaited: what was cancelled may be the wait for a loop that hangs.
            _ = slice.ThawAsync();
            throw;
        }
    }

    public override Task<IReadOnlyList<RequestedClose>> CommitAsync(IReadOnlySet<ulong> taken)
    {
        ArgumentNullException.ThrowIfNull(taken);
        lock (_gate)
        {
            return _end ??= EndAsync(taken);
        }
    }

    public override Task ThawAsync() => CommitAsync(System.Collections.Frozen.FrozenSet<ulong>.Empty);

    private async Task AddAsync(Worker worker, int most, CancellationToken cancel)
    {
        int visited = 0;
        FreezeTurn turn;
        do
        {
            int room = most - _connections.Count;
            cancel.ThrowIfCancellationRequested();
            Task<FreezeTurn> asked = worker.AskAsync(w => w.Migration.Freeze(room), afterwards: new FreezeTurn([], 0, 0));
            try
            {
                turn = await asked.WaitAsync(cancel).ConfigureAwait(true);
            }
            catch (OperationCanceledException)
            {
                _ = ThawLateAsync(worker, asked);
                throw;
            }

            visited += turn.Visited;
            if (turn.Frozen.Count > 0)
            {
                _parts.Add((worker, turn.Frozen));
                _connections.AddRange(turn.Frozen.Select(f => f.Connection));
            }
        }
        while (_connections.Count < most && visited < turn.End);
    }

    private static async Task ThawLateAsync(Worker worker, Task<FreezeTurn> asked)
    {
        FreezeTurn turn = await asked.ConfigureAwait(false);
        worker.Mailbox.TryPost(w => turn.Frozen.ForEach(w.Migration.Thaw));
    }

    private async Task<IReadOnlyList<RequestedClose>> EndAsync(IReadOnlySet<ulong> taken)
    {
        Task<List<RequestedClose>>[] asked =
            [.. _parts.Select(part => part.Worker.AskAsync(worker => End(worker, part.Places, taken), afterwards: []))];
        List<RequestedClose> closes = [];
        foreach (Task<List<RequestedClose>> answer in asked)
        {
            closes.AddRange(await answer.ConfigureAwait(true));
        }

        return closes;
    }

    private static List<RequestedClose> End(Worker worker, List<FrozenPlace> places, IReadOnlySet<ulong> taken)
    {
        List<RequestedClose> closes = [];
        foreach (FrozenPlace place in places)
        {
            ulong id = place.Connection.Record.Id;
            if (!taken.Contains(id))
            {
                worker.Migration.Thaw(place);
            }
            else if (worker.Migration.Commit(place) is not CloseReason.None and var reason)
            {
                closes.Add(new RequestedClose(id, reason));
            }
        }

        return closes;
    }
}
