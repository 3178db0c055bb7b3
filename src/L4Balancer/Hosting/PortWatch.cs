using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Updates the limit of local ports from the host's setting, and logs when a source address comes near it: once for each time that a
/// destination exceeds 70%, at most once a minute. The connections themselves only count.
/// </summary>
internal sealed class PortWatch : IAsyncDisposable
{
    private const double WarnAt = 0.7;

    /// <summary>Usage must fall below this before a warning is logged again.</summary>
    private const double CalmAt = 0.6;

    private const int LinesPerLook = 5;
    private const int LooksPerSweep = 10;
    private const int LooksPerRange = 30;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private readonly Dictionary<PortUse, (bool Armed, Instant SaidAt)> _said = [];
    private readonly Func<RoutingSnapshot> _snapshot;
    private readonly Func<PortRange> _range;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly PeriodicJob _job;
    private int _looks;

    /// <param name="range">Reads the range; called at intervals.</param>
    public PortWatch(Func<RoutingSnapshot> snapshot, Func<PortRange> range, TimeProvider clock, ILogger<PortWatch> log)
    {
        _snapshot = snapshot;
        _range = range;
        _clock = clock;
        _log = log;
        _job = new PeriodicJob("the local port check", BetweenLooks, clock, log, Work);
    }

    public ValueTask DisposeAsync() => _job.DisposeAsync();

    /// <summary>Reads the range, and logs if it has changed. One thread at a time.</summary>
    internal void AskRange()
    {
        PortSupply supply = _snapshot().Ports.Supply;
        PortRange now = _range();
        if (now.Count == 0)
        {
            // The range could not be read or is empty; the previous one stays in force.
            return;
        }

        if (!now.Agrees(supply.Range))
        {
            // An equal range keeps the old object, because the state of each port is attached to it.
            supply.Range = now;
            _log.PortRangeChanged(now.Count);
        }
    }

    /// <summary>Logs the destinations that are near their limit. One thread at a time.</summary>
    internal void Look()
    {
        Instant now = Instant.Now(_clock);
        int lines = 0;
        foreach (PortUse use in _snapshot().Ports.Uses)
        {
            int inUse = use.InUse(now);
            bool known = _said.TryGetValue(use, out (bool Armed, Instant SaidAt) said);
            if (use.Limit > 0 && inUse >= WarnAt * use.Limit)
            {
                if (!known || (said.Armed && now - said.SaidAt >= BetweenLines))
                {
                    _said[use] = (false, now);
                    if (++lines <= LinesPerLook)
                    {
                        _log.PortsScarce(use.Source.Label, use.Destination.ToString(), inUse, use.Limit);
                    }
                }
            }
            else if (known && inUse < CalmAt * use.Limit)
            {
                _said[use] = (true, said.SaidAt);
            }
        }

        if (lines > LinesPerLook)
        {
            _log.MorePortsScarce(lines - LinesPerLook);
        }
    }

    /// <summary>Removes entries that are no longer needed. One thread at a time.</summary>
    internal void Sweep()
    {
        Instant now = Instant.Now(_clock);
        PortBook ports = _snapshot().Ports;
        ports.Sweep(now);
        foreach ((PortUse use, (_, Instant saidAt)) in _said)
        {
            if (use.InUse(now) < CalmAt * use.Limit && now - saidAt >= BetweenLines)
            {
                _said.Remove(use);
            }
        }
    }

    private void Work()
    {
        int look = ++_looks;
        Look();
        if (look % LooksPerSweep == 0)
        {
            Sweep();
        }

        if (look % LooksPerRange == 0)
        {
            AskRange();
        }
    }
}
