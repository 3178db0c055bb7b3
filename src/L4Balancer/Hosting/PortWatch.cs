using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Keeps the limit of local ports as the host says it, and says in the log where a source address comes near it: once for each time that
/// a destination comes past 70%, and not more than so often. The connections themselves only count.
/// </summary>
internal sealed class PortWatch : IAsyncDisposable
{
    private const double WarnAt = 0.7;

    /// <summary>Below this it may be said again.</summary>
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

    /// <param name="range">Asked now and then.</param>
    public PortWatch(Func<RoutingSnapshot> snapshot, Func<PortRange> range, TimeProvider clock, ILogger<PortWatch> log)
    {
        _snapshot = snapshot;
        _range = range;
        _clock = clock;
        _log = log;
        _job = new PeriodicJob("the check of local ports", BetweenLooks, clock, log, Work);
    }

    public ValueTask DisposeAsync() => _job.DisposeAsync();

    /// <summary>Asks for the range, and tells where it is another one. One thread at a time.</summary>
    internal void AskRange()
    {
        PortSupply supply = _snapshot().Ports.Supply;
        PortRange now = _range();
        if (now.Count == 0)
        {
            // It could not be read, or says nothing; what it said before holds.
            return;
        }

        if (!now.Agrees(supply.Range))
        {
            // The object stays where it says the same: what is known of each port hangs on it.
            supply.Range = now;
            _log.PortRangeChanged(now.Count);
        }
    }

    /// <summary>Says what has come near its limit. One thread at a time.</summary>
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

    /// <summary>Forgets what is over. One thread at a time.</summary>
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
