using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Loop;

/// <summary>Connections that stand still at some workers, each of which ends its part on its own thread.</summary>
internal sealed class LoopSlice : FrozenSlice
{
    private readonly List<ExportedConnection> _connections = [];
    private readonly List<AdoptFailure> _failures = [];
    private readonly List<(Worker Worker, List<FrozenPlace> Places)> _parts = [];
    private readonly Lock _gate = new();
    private Task<(IReadOnlyList<RequestedClose> Closes, IReadOnlyList<AdoptFailure> Failures)>? _end;

    private LoopSlice()
    {
    }

    public override IReadOnlyList<ExportedConnection> Connections => _connections;

    public override IReadOnlyList<AdoptFailure> Failures => _failures;

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

    /// <summary>Puts connections of another engine in place, frozen.</summary>
    /// <param name="shares">For each of them <see cref="Worker.Assign"/> was called.</param>
    public static async Task<LoopSlice> TakeAsync(Dictionary<Worker, List<ExportedConnection>> shares)
    {
        var slice = new LoopSlice();
        foreach ((Worker worker, List<ExportedConnection> share) in shares)
        {
            (List<FrozenPlace>? frozen, List<AdoptFailure> failures) = await worker
                .AskAsync<(List<FrozenPlace>? Frozen, List<AdoptFailure> Failures)>(w => w.Adoption.Take(share), afterwards: (null, []))
                .ConfigureAwait(true);
            if (frozen is null)
            {
                failures = [.. share.Select(static c => Adoption.Drop(c, "the engine has stopped"))];
                share.ForEach(_ => worker.Unassign(isEstablished: true));
            }

            slice.Add(worker, frozen ?? []);
            slice._failures.AddRange(failures);
        }

        return slice;
    }

    public override async Task<IReadOnlyList<RequestedClose>> CommitAsync(IReadOnlySet<ulong> taken)
    {
        ArgumentNullException.ThrowIfNull(taken);
        return (await EndOnceAsync(taken).ConfigureAwait(true)).Closes;
    }

    public override async Task<IReadOnlyList<AdoptFailure>> ThawAsync() =>
        (await EndOnceAsync(System.Collections.Frozen.FrozenSet<ulong>.Empty).ConfigureAwait(true)).Failures;

    private Task<(IReadOnlyList<RequestedClose> Closes, IReadOnlyList<AdoptFailure> Failures)> EndOnceAsync(IReadOnlySet<ulong> taken)
    {
        lock (_gate)
        {
            return _end ??= EndAsync(taken);
        }
    }

    private void Add(Worker worker, List<FrozenPlace> frozen)
    {
        if (frozen.Count > 0)
        {
            _parts.Add((worker, frozen));
            _connections.AddRange(frozen.Select(f => f.Connection));
        }
    }

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
            Add(worker, turn.Frozen);
        }
        while (_connections.Count < most && visited < turn.End);
    }

    private static async Task ThawLateAsync(Worker worker, Task<FreezeTurn> asked)
    {
        FreezeTurn turn = await asked.ConfigureAwait(true);
        worker.Mailbox.TryPost(w => turn.Frozen.ForEach(place => w.Migration.Thaw(place)));
    }

    private async Task<(IReadOnlyList<RequestedClose> Closes, IReadOnlyList<AdoptFailure> Failures)> EndAsync(IReadOnlySet<ulong> taken)
    {
        // Task.WhenAll would complete on a thread of the pool, which may have to wait for a processor while connections stand still.
        Task<(List<RequestedClose> Closes, List<AdoptFailure> Failures)>[] asked =
            [.. _parts.Select(part => part.Worker.AskAsync(worker => End(worker, part.Places, taken), afterwards: ([], [])))];
        List<(List<RequestedClose> Closes, List<AdoptFailure> Failures)> ends = [];
        foreach (Task<(List<RequestedClose> Closes, List<AdoptFailure> Failures)> answer in asked)
        {
            ends.Add(await answer.ConfigureAwait(true));
        }

        return ([.. ends.SelectMany(static e => e.Closes)], [.. ends.SelectMany(static e => e.Failures)]);
    }

    private static (List<RequestedClose> Closes, List<AdoptFailure> Failures) End(Worker worker, List<FrozenPlace> places, IReadOnlySet<ulong> taken)
    {
        List<RequestedClose> closes = [];
        List<AdoptFailure> failures = [];
        foreach (FrozenPlace place in places)
        {
            ulong id = place.Connection.Record.Id;
            if (!taken.Contains(id))
            {
                if (worker.Migration.Thaw(place) is { } failure)
                {
                    failures.Add(failure);
                }
            }
            else if (worker.Migration.Commit(place) is not CloseReason.None and var reason)
            {
                closes.Add(new RequestedClose(id, reason));
            }
        }

        return (closes, failures);
    }
}
