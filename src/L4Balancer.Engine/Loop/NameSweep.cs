using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Removes names that nothing needs any more from the ledger, when half of the free places have been used. A worker remembers numbers of names, so each
/// is asked to forget them before. Any thread.
/// </summary>
internal sealed class NameSweep(ILoopEngine engine, ConnectionLedger ledger, IReadOnlyList<Worker> workers)
{
    private int _running;

    /// <summary>Starts a sweep unless one is running. Does not block.</summary>
    public void Begin()
    {
        if (Interlocked.Exchange(ref _running, 1) == 0)
        {
            _ = RunAsync();
        }
    }

    private async Task RunAsync()
    {
        try
        {
            ledger.BeginSweep();
            SetSeeds(ledger, engine.Snapshot);
            await Task.WhenAll(workers.Select(w => w.AskAsync(Forget, afterwards: true))).ConfigureAwait(false);
            ledger.EndSweep();
        }
        catch (Exception e)
        {
            engine.Log.NamesNotSwept(e);
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>The seeds of the pools that have a table of sticky keys: entries of connections have hashes that are made with them.</summary>
    public static void SetSeeds(ConnectionLedger ledger, RoutingSnapshot snapshot)
    {
        foreach (Pool pool in snapshot.Pools)
        {
            if (pool.Sticky is { } table)
            {
                ledger.SetStickySeeds(pool.State.Name, table.Seeds.First, table.Seeds.Second);
            }
        }
    }

    private static bool Forget(Worker worker)
    {
        worker.Ledger!.ForgetNames();
        return true;
    }
}
