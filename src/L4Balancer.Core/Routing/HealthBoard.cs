using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Turns the results of probes and of clients' connects into the pools' available sets. One writer: all calls come one at a time. Entries
/// are keyed by <see cref="BackendState"/>, so that a backend that was known before a reload keeps its health.
/// </summary>
public sealed partial class HealthBoard
{
    /// <summary>The largest number of queue entries per backend, the valid one included.</summary>
    private const int MostLeftovers = 2;

    // An entry is a leftover if its time is not its backend's.
    private readonly PriorityQueue<HealthEntry, Instant> _trials = new();
    private Dictionary<BackendState, HealthEntry> _entries = [];

    // After the first snapshot: a backend that joins is checked before it gets connections.
    private bool _isRunning;

    /// <summary>
    /// Invoked before a recovered backend receives its first connection (sets the slow-start share). Not invoked for backends that a new
    /// snapshot brings up; those are set in the snapshot before it is published.
    /// </summary>
    public Action<BackendState> Rising { get; init; } = static _ => { };

    /// <summary>When <see cref="AllowTrials"/> is due next.</summary>
    public Instant NextTrial => _trials.TryPeek(out _, out Instant at) ? at : Instant.Never;

    /// <summary>Times in the queue, leftovers included.</summary>
    internal int PlannedTrials => _trials.Count;

    /// <summary>
    /// Sets the health of the backends in a new snapshot before it is published. Changes nothing else, so that the snapshot may still be
    /// dropped.
    /// </summary>
    public void Mark(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        foreach (Pool pool in snapshot.Pools)
        {
            SetHealth(pool, Verdicts(pool, [.. pool.Backends.Select(b => StateIn(pool, b))]));
        }
    }

    /// <summary>
    /// Carries the health of each backend into a new snapshot. Reports about backends that are not in it are ignored from now on.
    /// </summary>
    /// <returns>The backends that the snapshot brings up, because what had taken them down no longer applies.</returns>
    public IReadOnlyList<(Pool Pool, Backend Backend)> Sync(RoutingSnapshot snapshot, Instant now)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        List<(Pool, Backend)> risen = [];
        Dictionary<BackendState, HealthEntry> entries = [];
        foreach (Pool pool in snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                entries.Add(backend.State, Sync(pool, backend, now, risen));
            }

            SetHealth(pool, Verdicts(pool, [.. pool.Backends.Select(b => entries[b.State].Tracker.State)]));
            foreach (Backend backend in pool.Backends)
            {
                NoteStatus(pool, backend, now);
            }
        }

        foreach (HealthEntry gone in _entries.Values.Where(e => !entries.ContainsKey(e.State)))
        {
            gone.TrialAt = Instant.Never;
            gone.State.Connects.Reset();
            gone.State.NoteStatus((int)BackendStatus.Draining, now);
        }

        _entries = entries;
        _isRunning = true;
        return risen;
    }

    /// <summary>
    /// Counts the result, and takes the backend out of its pool's picks or back in as rise and fall require. A report that was under way
    /// when the snapshot changed counts for the same backend in the new one, unless the backend has another address there.
    /// </summary>
    /// <param name="probed">The backend as it was when the probe began.</param>
    /// <returns>Whether the backend changed between up, degraded, down and checking.</returns>
    public bool Report(Backend probed, ProbeOutcome outcome, string detail, Instant now)
    {
        ArgumentNullException.ThrowIfNull(probed);
        BackendState state = probed.State;
        if (!_entries.TryGetValue(state, out HealthEntry? entry) || !entry.IsProbed || probed.Endpoint != entry.Backend.Endpoint)
        {
            return false;
        }

        state.Health.Count(outcome);
        state.Health.Last = new LastProbe(now, outcome, detail);
        HealthState? byProbes = state.Health.ByProbes;
        bool changed = entry.Tracker.Report(outcome);
        entry.ShowPlan();
        if (!changed && _peers is not null && state.Health.ByProbes != byProbes)
        {
            // Probes have confirmed what clients had found out, or what was assumed at the start: from now on it is put to the vote.
            ReportTurned(entry.Pool, ShowVerdicts(entry.Pool, now));
        }

        return changed && Changed(entry, detail, now);
    }

    /// <summary>Applies what a client's connect reported about its backend (<see cref="ConnectReports"/>).</summary>
    /// <returns>Whether the backend changed between up, degraded and down.</returns>
    public bool OnPassiveEvent(BackendState state, PassiveHealthEvent news, Instant now)
    {
        ArgumentNullException.ThrowIfNull(state);
        return _entries.TryGetValue(state, out HealthEntry? entry) && news switch
        {
            PassiveHealthEvent.Failing => Failing(entry, now),
            PassiveHealthEvent.Working => Working(entry, now),
            PassiveHealthEvent.TrialFailed => TrialFailed(entry, now),
            _ => false,
        };
    }

    /// <summary>
    /// Without probes, the address that a backend should move to because clients' connects to the current one fail; null: it stays. If not
    /// every address of its name has failed since one last worked, the move comes instead of <see cref="OnPassiveEvent"/>'s verdict.
    /// </summary>
    /// <param name="allFailed">Whether all of them have failed, so that the backend goes down, or stays down, as well.</param>
    public HostAddress? NextAddress(BackendState state, PassiveHealthEvent news, out bool allFailed)
    {
        ArgumentNullException.ThrowIfNull(state);
        allFailed = true;
        return _entries.TryGetValue(state, out HealthEntry? entry) ? entry.NextAddress(news, out allFailed) : null;
    }

    /// <summary>Lets one trial connection through to each backend that is due for one.</summary>
    public void AllowTrials(Instant now)
    {
        Dictionary<Pool, List<(int, HealthState)>> tried = [];
        while (_trials.TryPeek(out HealthEntry? entry, out Instant at) && at <= now)
        {
            _trials.Dequeue();
            if (entry.TrialAt != at)
            {
                continue;
            }

            entry.TrialAt = Instant.Never;
            entry.Tracker.SetHalfOpen(true);
            entry.State.Connects.AllowTrial();
            if (!tried.TryGetValue(entry.Pool, out List<(int, HealthState)>? members))
            {
                tried.Add(entry.Pool, members = []);
            }

            members.Add((entry.Backend.Index, HealthState.HalfOpen));
        }

        foreach ((Pool pool, List<(int, HealthState)> members) in tried)
        {
            SetHealth(pool, members);
        }
    }

    /// <summary>An operator has set the mode of a backend: notes since when it has the status that it has now.</summary>
    public static void ModeSet(Pool pool, Backend backend, Instant now) => NoteStatus(pool, backend, now);

    /// <summary>The backend in the current snapshot; null if it is not in it.</summary>
    public (Pool Pool, Backend Backend)? Known(BackendState state) =>
        _entries.TryGetValue(state, out HealthEntry? entry) ? (entry.Pool, entry.Backend) : null;

    private HealthState StateIn(Pool pool, Backend backend) =>
        _entries.TryGetValue(backend.State, out HealthEntry? entry) ? entry.StateIn(pool, backend)
        : _isRunning ? HealthEntry.Undecided(pool)
        : CarriedOf(pool, backend) is { } known ? HealthEntry.StateIn(pool, backend, known)
        : HealthState.Up;

    private HealthEntry Sync(Pool pool, Backend backend, Instant now, List<(Pool, Backend)> risen)
    {
        if (!_entries.TryGetValue(backend.State, out HealthEntry? entry))
        {
            entry = new HealthEntry(pool, backend);
            entry.Begin(checks: _isRunning);
            Rise(entry);
            if (CarriedOf(pool, backend) is { } known)
            {
                Continue(entry, known, now);
            }

            return entry;
        }

        bool wasUp = entry.Tracker.State == HealthState.Up;
        bool begins = entry.BeginsAt(backend);
        entry.Sync(pool, backend);
        if (begins)
        {
            // Connects that failed at the old address do not count, and a trial of it is not one of the new address.
            entry.TrialAt = Instant.Never;
            Rise(entry);
            entry.State.Connects.BeginEpoch();
        }

        if (!wasUp && entry.Tracker.State == HealthState.Up)
        {
            entry.CountDecision(now);
            Rise(entry);
            risen.Add((pool, backend));
        }

        entry.NoteDecided();

        if (entry.IsProbed)
        {
            entry.TrialAt = Instant.Never;
            backend.State.Connects.WithdrawTrial();
        }
        else if (entry.Tracker.State == HealthState.Down && now + pool.Settings.Passive.Retry < entry.TrialAt)
        {
            // No trial is planned yet, or the interval became shorter ("1h" is now "2s").
            PlanTrial(entry, now);
        }

        entry.ShowPlan();
        return entry;
    }

    private bool Failing(HealthEntry entry, Instant now)
    {
        int most = entry.Pool.Settings.Passive.Failures;
        int failed = entry.State.Connects.FailedInARow;
        if (most == 0 || failed < most)
        {
            // A connect has succeeded meanwhile, or the file has a different limit by now.
            entry.State.Connects.Dismiss();
            return false;
        }

        if (entry.Tracker.State is HealthState.Down or HealthState.HalfOpen)
        {
            return false;
        }

        entry.Tracker.MarkDown();
        entry.ShowPlan();
        if (!entry.IsProbed)
        {
            PlanTrial(entry, now);
        }

        return Changed(
            entry, string.Create(CultureInfo.InvariantCulture, $"{failed} consecutive connects failed: {entry.State.Connects.LastFault}"), now);
    }

    // If the backend is probed, the probes decide when it comes back.
    private bool Working(HealthEntry entry, Instant now)
    {
        if (entry.Tracker.State == HealthState.Up)
        {
            // The report of its failure did not arrive here; make sure that the next failure is reported again.
            entry.State.Connects.Dismiss();
            return false;
        }

        if (entry.IsProbed)
        {
            return false;
        }

        entry.TrialAt = Instant.Never;
        entry.Tracker.Forget();
        return Changed(entry, "", now);
    }

    private bool TrialFailed(HealthEntry entry, Instant now)
    {
        if (entry.Tracker.State == HealthState.HalfOpen)
        {
            entry.Tracker.SetHalfOpen(false);
            SetHealth(entry.Pool, [(entry.Backend.Index, HealthState.Down)]);
            PlanTrial(entry, now);
        }

        return false;
    }

    private void PlanTrial(HealthEntry entry, Instant now)
    {
        entry.TrialAt = now + entry.Pool.Settings.Passive.Retry;
        if (_trials.Count > MostLeftovers * _entries.Count)
        {
            _trials.Clear();
            _trials.EnqueueRange(_entries.Values.Where(e => e != entry && e.TrialAt != Instant.Never).Select(e => (e, e.TrialAt)));
        }

        _trials.Enqueue(entry, entry.TrialAt);
    }

    private bool Changed(HealthEntry entry, string detail, Instant now)
    {
        entry.CountDecision(now);
        entry.State.Health.Detail = detail;
        if (_peers is not null)
        {
            if (entry.Tracker.State == HealthState.Up)
            {
                Rise(entry);
            }

            ReportTurned(entry.Pool, ShowVerdicts(entry.Pool, now).Where(b => b != entry.Backend));
            return true;
        }

        if (entry.Tracker.State == HealthState.Up)
        {
            Rise(entry);
            Rising(entry.State);
        }
        else if (entry.Tracker.State == HealthState.Degraded)
        {
            // If health is ignored it takes connections, and their failures must be reported again.
            entry.State.Connects.Dismiss();
        }

        SetHealth(entry.Pool, [(entry.Backend.Index, entry.Tracker.State)]);
        NoteStatus(entry.Pool, entry.Backend, now);
        return true;
    }

    private static void NoteStatus(Pool pool, Backend backend, Instant now) =>
        backend.State.NoteStatus((int)pool.StatusOf(backend.Index), now);

    private static void Rise(HealthEntry entry)
    {
        entry.State.Connects.Reset();
        entry.State.Health.Detail = "";
    }

    private static void SetHealth(Pool pool, IEnumerable<(int Backend, HealthState State)> states)
    {
        Dictionary<int, HealthState> changes = states.Where(s => s.State != pool.HealthOf(s.Backend)).ToDictionary(s => s.Backend, s => s.State);
        if (changes.Count > 0)
        {
            pool.SetHealth(changes);
        }
    }
}
