using System.Threading.Channels;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// The one writer of health: reports come from the prober's threads through one channel and are put on the board one at a time.
/// It logs what changed.
/// </summary>
internal sealed class HealthControl : IAsyncDisposable
{
    private static readonly TimeSpan BetweenComplaints = TimeSpan.FromMinutes(1);

    // Unbounded in form only: there is at most one report per backend and interval, and taking one costs microseconds.
    private readonly Channel<ProbeReport> _reports =
        Channel.CreateUnbounded<ProbeReport>(new UnboundedChannelOptions { SingleReader = true });

    private readonly HealthBoard _board = new();
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Action _changed;
    private readonly Task _working;
    private Instant _nextComplaint;

    /// <param name="snapshot">The one whose backends will be reported about.</param>
    /// <param name="changed">Called after each change, on the control task.</param>
    public HealthControl(RoutingSnapshot snapshot, TimeProvider clock, ILogger<HealthControl> log, Action changed)
    {
        _board.Follow(snapshot);
        _clock = clock;
        _log = log;
        _changed = changed;
        _working = WorkAsync();
    }

    /// <summary>Any thread; never blocks.</summary>
    public void Report(ProbeReport report) => _reports.Writer.TryWrite(report);

    public async ValueTask DisposeAsync()
    {
        _reports.Writer.TryComplete();
        await _working;
    }

    private async Task WorkAsync()
    {
        await foreach (ProbeReport report in _reports.Reader.ReadAllAsync())
        {
            try
            {
                Take(report);
            }
            catch (Exception e)
            {
                // A fault of ours about one backend must not freeze the health of all others.
                _log.ReportFailed(e);
            }
        }
    }

    private void Take(in ProbeReport report)
    {
        (Pool pool, Backend backend, ProbeOutcome outcome, string detail) = report;
        bool changed = _board.Report(pool, backend, outcome);
        if (outcome == ProbeOutcome.LocalError)
        {
            Complain(report);
        }

        if (!changed)
        {
            return;
        }

        if (!pool.IsDown(backend.Index))
        {
            _log.BackendUp(pool.Name, backend.Name, backend.Settings.Address);
        }
        else
        {
            _log.BackendDown(pool.Name, backend.Name, backend.Settings.Address, detail);
            if (!pool.Backends.Any(b => pool.Takes(b.Index)))
            {
                _log.PoolDead(pool.Name);
            }
        }

        _changed();
    }

    // A shortage strikes every probe alike: one line a minute says it, the metric health_checks_total{result="local_error"} counts it.
    private void Complain(in ProbeReport report)
    {
        Instant now = Instant.Now(_clock);
        if (now >= _nextComplaint)
        {
            _nextComplaint = now + BetweenComplaints;
            _log.ProbeSaysNothing(report.Pool.Name, report.Backend.Name, report.Detail);
        }
    }
}
