using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Passes the results of probes and of clients' connects to the board, logs changes, and has probes rescheduled if their interval changes.
/// Only the control loop calls it.
/// </summary>
internal sealed class HealthControl : ISnapshotParticipant, IAsyncDisposable
{
    private static readonly TimeSpan BetweenComplaints = TimeSpan.FromMinutes(1);

    private readonly HealthBoard _board;
    private readonly Prober _prober;
    private readonly Action<Pool, Backend> _changed;
    private readonly TimeProvider _clock;
    private readonly ILogger<HealthControl> _log;
    private readonly ITimer _trials;
    private readonly HashSet<PoolState> _dead = [];
    private Instant _nextComplaint;

    /// <param name="prober">Probes the backends of the snapshot in force.</param>
    /// <param name="changed">Called after each change between up, degraded and down, with the backend.</param>
    /// <param name="trialDue">Called on any thread when <see cref="AllowTrials"/> is due.</param>
    public HealthControl(
        HealthBoard board, Prober prober, Action<Pool, Backend> changed, Action trialDue, TimeProvider clock, ILogger<HealthControl> log)
    {
        _board = board;
        _board.Turned = LogState;
        _prober = prober;
        _changed = changed;
        _clock = clock;
        _log = log;
        _trials = clock.CreateTimer(_ => trialDue(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Prepare(RoutingSnapshot next) => _board.Mark(next);

    public void Commit(RoutingSnapshot? before, RoutingSnapshot now)
    {
        // Before anything is replanned: the prober knows only the backends of the snapshots published to it.
        _prober.Publish(now);
        foreach ((Pool pool, Backend backend) in _board.Sync(now, Instant.Now(_clock)))
        {
            LogState(pool, backend);
        }

        foreach (Pool pool in now.Pools.Where(p => p.HasAvailable))
        {
            TellIfDead(pool);
        }

        _dead.IntersectWith(now.Pools.Select(p => p.State));
        SetTimer();
        foreach (Pool pool in now.Pools.Where(p => p.Settings.Health.Type != HealthType.None))
        {
            // Publish planned these probes with the interval from before the board followed the snapshot.
            foreach (Backend backend in pool.Backends.Where(b => b.State.Health.Pace != ProbePace.Steady))
            {
                _prober.Replan(backend.State);
            }
        }
    }

    /// <summary>Logs that no backend serves the pool, or that one does again: once each.</summary>
    public void TellIfDead(Pool pool)
    {
        if (!pool.HasAvailable)
        {
            if (_dead.Add(pool.State))
            {
                _log.PoolDead(pool.Name);
            }
        }
        else if (_dead.Remove(pool.State))
        {
            _log.PoolServesAgain(pool.Name);
        }
    }

    /// <summary>
    /// An operator has set a backend's mode: logs if that leaves the pool without a backend, as if it had gone down by itself.
    /// </summary>
    public void ModeSet(Pool pool, Backend backend)
    {
        HealthBoard.ModeSet(pool, backend, Instant.Now(_clock));
        Log(pool, _board.Judge(pool, Instant.Now(_clock)));
        TellIfDead(pool);
    }

    /// <summary>Puts health to the vote with what the other balancers say; null: no longer.</summary>
    public void Apply(PeerViews? peers)
    {
        foreach ((Pool pool, Backend backend) in _board.Apply(peers, Instant.Now(_clock)))
        {
            LogState(pool, backend);
        }
    }

    /// <summary>Handles the result of a probe.</summary>
    public void OnProbeResult(in ProbeReport report)
    {
        BackendState state = report.Backend.State;
        ProbePace planned = state.Health.Pace;
        if (report.Outcome == ProbeOutcome.LocalError)
        {
            Complain(report);
        }

        if (_board.Report(report.Backend, report.Outcome, report.Detail, Instant.Now(_clock)))
        {
            LogState(state);
        }

        Replan(state, planned);
    }

    /// <inheritdoc cref="HealthBoard.NextAddress"/>
    public HostAddress? NextAddress(BackendState state, PassiveHealthEvent news, out bool allFailed) =>
        _board.NextAddress(state, news, out allFailed);

    /// <inheritdoc cref="HealthBoard.Known()"/>
    public IReadOnlyList<CarriedHealth> Known() => _board.Known();

    /// <inheritdoc cref="HealthBoard.Known(BackendState)"/>
    public (Pool Pool, Backend Backend)? Known(BackendState state) => _board.Known(state);

    /// <summary>Handles a report of a client's connect.</summary>
    public void OnPassiveEvent(BackendState state, PassiveHealthEvent news)
    {
        ProbePace planned = state.Health.Pace;
        if (_board.OnPassiveEvent(state, news, Instant.Now(_clock)))
        {
            LogState(state);
        }

        SetTimer();
        Replan(state, planned);
    }

    /// <summary>Lets one trial connection through to each backend that is due for one.</summary>
    public void AllowTrials()
    {
        _board.AllowTrials(Instant.Now(_clock));
        SetTimer();
    }

    public ValueTask DisposeAsync() => _trials.DisposeAsync();

    private void Log(Pool pool, IReadOnlyList<Backend> turned)
    {
        foreach (Backend backend in turned)
        {
            LogState(pool, backend);
        }
    }

    // The next probe was planned before the result of this one was applied.
    private void Replan(BackendState state, ProbePace planned)
    {
        if (state.Health.Pace != planned)
        {
            _prober.Replan(state);
        }
    }

    private void SetTimer()
    {
        if (_board.NextTrial != Instant.Never)
        {
            TimeSpan wait = _board.NextTrial - Instant.Now(_clock);
            _trials.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }

    private void LogState(BackendState state)
    {
        // The report may concern a snapshot that is no longer in force.
        if (_board.Known(state) is ({ } pool, { } backend))
        {
            LogState(pool, backend);
        }
    }

    private void LogState(Pool pool, Backend backend)
    {
        string detail = backend.State.Health.Detail;
        if (pool.HealthOf(backend.Index) == HealthState.Up && _board.BallotOf(backend.State) is { Own: not HealthState.Up } ballot)
        {
            _log.BackendKeptUp(pool.Name, backend.Name, backend.Settings.Address, ballot.Down, ballot.See, detail);
            _changed(pool, backend);
            return;
        }

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

    // A shortage affects all probes: it is logged once a minute, and the metric health_checks_total{result="local_error"} counts it.
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
