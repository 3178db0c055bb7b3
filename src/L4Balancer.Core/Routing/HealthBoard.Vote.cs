using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <content>Health that is put to the vote with what the other balancers of a fleet say (<see cref="HealthVote"/>).</content>
public sealed partial class HealthBoard
{
    // What the other balancers say; null: this one decides alone.
    private PeerViews? _peers;

    /// <summary>
    /// Called for each backend that the vote brings up or takes down because of a report about another one, or about one that has not changed
    /// itself: the last backends of a pool are kept, and no longer once another lives.
    /// </summary>
    public Action<Pool, Backend> Turned { get; set; } = static (_, _) => { };

    /// <summary>
    /// Puts health to the vote with what the other balancers say, or with null no longer: each backend gets the verdict at once.
    /// </summary>
    /// <returns>The backends that are up and were not, or are no longer.</returns>
    public IReadOnlyList<(Pool Pool, Backend Backend)> Apply(PeerViews? peers, Instant now)
    {
        _peers = peers;
        List<(Pool, Backend)> turned = [];
        foreach (Pool pool in _entries.Values.Select(e => e.Pool).Distinct())
        {
            turned.AddRange(ShowVerdicts(pool, now).Select(b => (pool, b)));
        }

        return turned;
    }

    /// <summary>A mode or a weight has changed: with it, which backends are the last ones of their pool.</summary>
    /// <returns>As <see cref="Apply"/>.</returns>
    public IReadOnlyList<Backend> Judge(Pool pool, Instant now) => _peers is null ? [] : ShowVerdicts(pool, now);

    /// <summary>What is put to the vote of a backend; null if this balancer decides alone, or its probes have not decided.</summary>
    public Ballot? BallotOf(BackendState state) =>
        _peers is not null && _entries.TryGetValue(state, out HealthEntry? entry)
        && BallotOf(entry.Pool, entry.Backend, entry.Tracker.State) is { IsByProbes: true } cast ? cast : null;

    private IReadOnlyList<Backend> ShowVerdicts(Pool pool, Instant now)
    {
        HealthState[] before = [.. pool.Backends.Select(b => pool.HealthOf(b.Index))];
        if (pool.Backends.Any(b => !_entries.TryGetValue(b.State, out HealthEntry? known) || known.Pool != pool))
        {
            // It is no longer in force.
            return [];
        }

        (int Backend, HealthState State)[] verdicts =
            [.. Verdicts(pool, [.. pool.Backends.Select(b => _entries[b.State].Tracker.State)]).Where(v => before[v.Backend] != v.State)];
        foreach ((int index, HealthState state) in verdicts)
        {
            BackendState backend = pool.Backends[index].State;
            if (state == HealthState.Up)
            {
                backend.Connects.Reset();
                Rising(backend);
            }
            else if (state == HealthState.Degraded)
            {
                backend.Connects.Dismiss();
            }
        }

        SetHealth(pool, verdicts);
        foreach (Backend backend in pool.Backends)
        {
            NoteVote(pool, backend);
            NoteStatus(pool, backend, now);
        }

        return
        [
            .. verdicts.Where(v => (v.State == HealthState.Up) != (before[v.Backend] == HealthState.Up)).Select(v => pool.Backends[v.Backend]),
        ];
    }

    private void ReportTurned(Pool pool, IEnumerable<Backend> turned)
    {
        foreach (Backend backend in turned)
        {
            Turned(pool, backend);
        }
    }

    // What keeps a backend down that its own probes hold up stands where their finding would.
    private void NoteVote(Pool pool, Backend backend)
    {
        if (BallotOf(backend.State) is { Own: HealthState.Up } ballot)
        {
            backend.State.Health.Detail = pool.HealthOf(backend.Index) == HealthState.Up ? "" : string.Create(
                CultureInfo.InvariantCulture, $"held down by {ballot.Down} of the {ballot.See} balancers that probe it");
        }
        else if (_peers is null && pool.HealthOf(backend.Index) == HealthState.Up)
        {
            backend.State.Health.Detail = "";
        }
    }

    /// <param name="own">What this balancer has found out, by backend index.</param>
    private IEnumerable<(int Backend, HealthState State)> Verdicts(Pool pool, HealthState[] own)
    {
        HealthState[] verdicts = own;
        if (_peers is not null)
        {
            verdicts = new HealthState[own.Length];
            HealthVote.Decide([.. pool.Backends.Select(b => BallotOf(pool, b, own[b.Index]))], verdicts);
        }

        return verdicts.Select(static (v, i) => (i, v));
    }

    private Ballot BallotOf(Pool pool, Backend backend, HealthState own) => new(
        own, own == backend.State.Health.ByProbes, _peers![pool.Name, backend.Name],
        backend.Weight > 0 && backend.IsResolved && pool.IsReady(backend.Index));
}
