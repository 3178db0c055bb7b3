using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>Puts probe reports on the board and says in the log what changed. Only the one writer calls it.</summary>
/// <param name="changed">Called after each change between up and down, with the backend.</param>
internal sealed class HealthControl(TimeProvider clock, ILogger<HealthControl> log, Action<Pool, Backend> changed)
{
    private static readonly TimeSpan BetweenComplaints = TimeSpan.FromMinutes(1);

    private Instant _nextComplaint;

    public HealthBoard Board { get; } = new();

    public void Take(in ProbeReport report)
    {
        (Pool pool, Backend backend, ProbeOutcome outcome, string detail) = report;
        backend.Cell.Health.Last = new LastProbe(Instant.Now(clock), outcome, detail);
        bool turned = Board.Report(pool, backend, outcome);
        if (outcome == ProbeOutcome.LocalError)
        {
            Complain(report);
        }

        if (!turned || Board.Known(backend.Cell) is not ({ } nowIn, { } now))
        {
            return;
        }

        // The report may be about a snapshot that is no longer in force.
        (pool, backend) = (nowIn, now);

        if (!pool.IsDown(backend.Index))
        {
            log.BackendUp(pool.Name, backend.Name, backend.Settings.Address);
        }
        else
        {
            log.BackendDown(pool.Name, backend.Name, backend.Settings.Address, detail);
            if (!pool.Backends.Any(b => pool.Takes(b.Index)))
            {
                log.PoolDead(pool.Name);
            }
        }

        changed(pool, backend);
    }

    // A shortage strikes every probe alike: one line a minute says it, the metric health_checks_total{result="local_error"} counts it.
    private void Complain(in ProbeReport report)
    {
        Instant now = Instant.Now(clock);
        if (now >= _nextComplaint)
        {
            _nextComplaint = now + BetweenComplaints;
            log.ProbeSaysNothing(report.Pool.Name, report.Backend.Name, report.Detail);
        }
    }
}
