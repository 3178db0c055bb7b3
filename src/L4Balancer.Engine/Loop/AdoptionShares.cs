using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Loop;

/// <summary>Divides connections of another engine among the workers, each to the one with the fewest. Any thread.</summary>
internal static class AdoptionShares
{
    /// <summary>They count as the workers' from now on (<see cref="Worker.Assign"/>).</summary>
    /// <exception cref="InvalidOperationException">There are no workers.</exception>
    public static Dictionary<Worker, List<ExportedConnection>> Of(
        IReadOnlyList<Worker> workers, IReadOnlyList<ExportedConnection> connections)
    {
        ArgumentNullException.ThrowIfNull(connections);
        if (workers.Count == 0)
        {
            throw new InvalidOperationException("the engine is not running");
        }

        Dictionary<Worker, List<ExportedConnection>> shares = [];
        foreach (ExportedConnection connection in connections)
        {
            Worker worker = workers.MinBy(w => w.Assigned)!;
            worker.Assign(isEstablished: true);
            if (!shares.TryGetValue(worker, out List<ExportedConnection>? share))
            {
                shares.Add(worker, share = []);
            }

            share.Add(connection);
        }

        return shares;
    }

    /// <summary>Serves the share of a worker; if that has ended, all of it is reset.</summary>
    /// <returns>The connections that are not served.</returns>
    public static async Task<List<AdoptFailure>> AdoptAsync(ILoopEngine engine, Worker worker, List<ExportedConnection> share)
    {
        List<AdoptFailure>? failures = await worker
            .AskAsync<List<AdoptFailure>?>(w => w.Adoption.Adopt(share), afterwards: null).ConfigureAwait(true);
        if (failures is not null)
        {
            return failures;
        }

        // The worker has ended.
        failures = [.. share.Select(c => Adoption.Refuse(engine, c, CloseReason.Shutdown, "the engine has stopped"))];
        share.ForEach(_ => worker.Unassign(isEstablished: true));
        return failures;
    }
}
