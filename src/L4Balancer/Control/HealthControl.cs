using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Puts on the board what probes and the connects of clients say, tells the log what changed, and has probes planned anew where that
/// changes their pace. Only the one writer calls it.
/// </summary>
internal sealed class HealthControl : IAsyncDisposable
{
    private static readonly TimeSpan BetweenComplaints = TimeSpan.FromMinutes(1);

    private readonly TimeProvider _clock;
    private readonly ILogger<HealthControl> _log;
    private readonly Action<Pool, Backend> _changed;
    private readonly Action<BackendCell> _replan;
    private readonly ITimer _trials;
    private readonly HashSet<PoolCell> _dead = [];
    private Instant _nextComplaint;

    /// <param name="board">What it is put on.</param>
    /// <param name="post">How the one writer is called from elsewhere.</param>
    /// <param name="changed">Called after each change between up, degraded and down, with the backend.</param>
    /// <param name="replan">Called where a backend is to be probed at another pace than its next probe was planned with.</param>
    public HealthControl(
        HealthBoard board, TimeProvider clock, ILogger<HealthControl> log, Action<Action> post, Action<Pool, Backend> changed,
        Action<BackendCell> replan)
    {
        Board = board;
        _clock = clock;
        _log = log;
        _changed = changed;
        _replan = replan;
        _trials = clock.CreateTimer(_ => post(LetTry), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public HealthBoard Board { get; }

    /// <summary>A snapshot is in force.</summary>
    public void Follow(RoutingSnapshot snapshot)
    {
        foreach ((Pool pool, Backend backend) in Board.Follow(snapshot, Instant.Now(_clock)))
        {
            Tell(pool, backend);
        }

        _dead.IntersectWith(snapshot.Pools.Where(p => !p.HasLiving).Select(p => p.Cell));
        SetTimer();
        foreach (Pool pool in snapshot.Pools.Where(p => p.Settings.Health.Type != HealthType.None))
        {
            // Who is probed from now on, or again, was given the pace that stood before the snapshot was followed.
            foreach (Backend backend in pool.Backends.Where(b => b.Cell.Health.Pace != ProbePace.Steady))
            {
                _replan(backend.Cell);
            }
        }
    }

    /// <summary>Says that nobody is left to serve a pool, once until somebody is.</summary>
    public void TellIfDead(Pool pool)
    {
        if (!IsAlive(pool) && _dead.Add(pool.Cell))
        {
            _log.PoolDead(pool.Name);
        }
    }

    /// <summary>An operator has set a backend's mode: that alone is no news, but the next time is.</summary>
    public void ModeSet(Pool pool) => IsAlive(pool);

    /// <summary>How a probe has ended.</summary>
    public void Take(in ProbeReport report)
    {
        BackendCell cell = report.Backend.Cell;
        ProbePace planned = cell.Health.Pace;
        cell.Health.Last = new LastProbe(Instant.Now(_clock), report.Outcome, report.Detail);
        if (report.Outcome == ProbeOutcome.LocalError)
        {
            Complain(report);
        }

        if (Board.Report(cell, report.Outcome, report.Detail))
        {
            Tell(cell);
        }

        Replan(cell, planned);
    }

    /// <summary>What a connect of a client has told.</summary>
    public void Take(BackendCell cell, ConnectNews news)
    {
        ProbePace planned = cell.Health.Pace;
        if (Board.Hear(cell, news, Instant.Now(_clock)))
        {
            Tell(cell);
        }

        SetTimer();
        Replan(cell, planned);
    }

    /// <summary>
    /// The engine takes connections before there is a control: what their connects told until then had no ear and is told only once. Of
    /// whom nothing was told this says nothing either, and the next who fails too often is told.
    /// </summary>
    public void HearWhatWasSaid(RoutingSnapshot snapshot)
    {
        foreach (Backend backend in snapshot.Pools.SelectMany(p => p.Backends))
        {
            Take(backend.Cell, ConnectNews.Failing);
        }
    }

    public ValueTask DisposeAsync() => _trials.DisposeAsync();

    private bool IsAlive(Pool pool)
    {
        if (pool.HasLiving)
        {
            _dead.Remove(pool.Cell);
        }

        return pool.HasLiving;
    }

    // The next probe was planned before its report was heard.
    private void Replan(BackendCell cell, ProbePace planned)
    {
        if (cell.Health.Pace != planned)
        {
            _replan(cell);
        }
    }

    private void LetTry()
    {
        Board.LetTry(Instant.Now(_clock));
        SetTimer();
    }

    private void SetTimer()
    {
        if (Board.NextTrial != Instant.Never)
        {
            TimeSpan wait = Board.NextTrial - Instant.Now(_clock);
            _trials.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }

    private void Tell(BackendCell cell)
    {
        // What was said may be about a snapshot that is no longer in force.
        if (Board.Known(cell) is ({ } pool, { } backend))
        {
            Tell(pool, backend);
        }
    }

    private void Tell(Pool pool, Backend backend)
    {
        string detail = backend.Cell.Health.Detail;
        switch (pool.HealthOf(backend.Index))
        {
            case HealthState.Up:
                _log.BackendUp(pool.Name, backend.Name, backend.Settings.Address);
                break;
            case HealthState.Degraded:
                _log.BackendDegraded(pool.Name, backend.Name, backend.Settings.Address, detail);
                break;
            default:
                _log.BackendDown(pool.Name, backend.Name, backend.Settings.Address, detail);
                break;
        }

        TellIfDead(pool);
        _changed(pool, backend);
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
