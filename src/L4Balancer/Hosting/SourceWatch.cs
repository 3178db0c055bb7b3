using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Logs when source addresses run out of ports or no longer belong to the host: one line per address and check, however many connections
/// were affected. The engines only count.
/// </summary>
internal sealed class SourceWatch : IAsyncDisposable
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(10);

    private readonly Dictionary<LocalAddressState, (long Exhausted, long Unusable)> _seen = [];
    private readonly Func<RoutingSnapshot> _snapshot;
    private readonly ILogger _log;
    private readonly PeriodicJob _job;

    public SourceWatch(Func<RoutingSnapshot> snapshot, TimeProvider clock, ILogger<SourceWatch> log)
    {
        _snapshot = snapshot;
        _log = log;
        _job = new PeriodicJob("the source address check", BetweenLooks, clock, log, Look);
    }

    public ValueTask DisposeAsync() => _job.DisposeAsync();

    /// <summary>Logs what has happened since the last check. One thread at a time.</summary>
    internal void Look()
    {
        foreach (LocalAddressState source in _snapshot().Sources)
        {
            Look(source);
        }
    }

    private void Look(LocalAddressState source)
    {
        (long Exhausted, long Unusable) before = _seen.GetValueOrDefault(source);
        (long Exhausted, long Unusable) now = (source.Exhausted, source.Unusable);
        _seen[source] = now;
        if (now.Exhausted > before.Exhausted)
        {
            _log.SourceExhausted(source.Label, now.Exhausted - before.Exhausted);
        }

        if (now.Unusable > before.Unusable)
        {
            _log.SourceUnusable(source.Label, now.Unusable - before.Unusable);
        }
    }
}
