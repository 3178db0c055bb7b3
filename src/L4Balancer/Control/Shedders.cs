using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Pacing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Has the engine close the connections of single backends: one that is drained, one that is down. At most one shedding a backend. Only the
/// one writer starts and stops; any thread asks how far it has come.
/// </summary>
internal sealed class Shedders(IEngine engine, TimeProvider clock, ILogger log) : IAsyncDisposable
{
    /// <summary>A connect that was under way when the drain began may still become a connection.</summary>
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<BackendCell, Running> _running = new();

    /// <summary>Null where nothing of it is being closed.</summary>
    public Shedding? Of(BackendCell cell) => _running.GetValueOrDefault(cell)?.Shedding;

    /// <summary>What is going on now.</summary>
    public IReadOnlyList<Shedding> All => [.. _running.Values.Select(r => r.Shedding)];

    /// <summary>In place of what was going on there.</summary>
    public void Start(BackendCell cell, CloseReason reason, Tempo tempo, Pace pace)
    {
        Stop(cell);
        var running = new Running(new Shedding(cell, reason, cell.Staying));
        _running[cell] = running;
        log.SheddingBegins(cell.Pool, cell.Name, running.Shedding.Planned, reason.Name());
        running.Task = Task.Run(() => RunAsync(running, tempo, pace));
    }

    /// <summary>What is not closed by now stays.</summary>
    public void Stop(BackendCell cell)
    {
        if (_running.TryRemove(cell, out Running? running))
        {
            running.Cancel.Cancel();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Running[] all = [.. _running.Values];
        foreach (Running running in all)
        {
            Stop(running.Shedding.Cell);
        }

        await Task.WhenAll(all.Select(r => r.Task));
    }

    private async Task RunAsync(Running running, Tempo tempo, Pace pace)
    {
        (BackendCell cell, CloseReason reason, _) = running.Shedding;
        CancellationToken stop = running.Cancel.Token;
        long start = clock.GetTimestamp();
        try
        {
            bool more = true;
            while (more && !stop.IsCancellationRequested)
            {
                var order = new ShedOrder
                {
                    Reason = reason,
                    Tempo = tempo.After(clock.GetElapsedTime(start)),
                    Pace = pace,
                    Quotas = new Dictionary<BackendCell, int> { [cell] = int.MaxValue },
                };
                more = await engine.ShedAsync(order, stop) > 0;
                if (cell.Load > cell.Active)
                {
                    more = true;
                    await Task.Delay(BetweenLooks, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }

            log.SheddingEnds(cell.Pool, cell.Name, running.Shedding.Closed, reason.Name());
        }
        catch (Exception e)
        {
            log.SheddingFailed(cell.Pool, e);
        }
        finally
        {
            _running.TryRemove(new KeyValuePair<BackendCell, Running>(cell, running));
        }
    }

    // Its source has no timer, hence nothing to dispose of.
    private sealed class Running(Shedding shedding)
    {
        public Shedding Shedding { get; } = shedding;

        public CancellationTokenSource Cancel { get; } = new();

        public Task Task { get; set; } = Task.CompletedTask;
    }
}
