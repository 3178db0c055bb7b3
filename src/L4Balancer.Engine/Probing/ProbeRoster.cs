using System.Diagnostics.CodeAnalysis;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>The backends that are probed; each snapshot adds and removes some. Used by the prober's loop only.</summary>
internal sealed class ProbeRoster(Agenda agenda, Random random)
{
    private readonly Dictionary<BackendState, ProbeTarget> _targets = [];
    private Dictionary<string, ProbePlan> _plans = [];
    private bool _hasBegun;

    public bool TryGet(BackendState backend, [NotNullWhen(true)] out ProbeTarget? target) => _targets.TryGetValue(backend, out target);

    public void Sync(RoutingSnapshot snapshot, Instant now)
    {
        var left = new HashSet<BackendState>(_targets.Keys);
        var plans = new Dictionary<string, ProbePlan>();
        foreach (Pool pool in snapshot.Pools)
        {
            HealthSettings settings = pool.Settings.Health;
            if (settings.Type == HealthType.None)
            {
                continue;
            }

            ProbePlan plan = _plans.TryGetValue(pool.Name, out ProbePlan? known) && known.Settings == settings
                ? known : new ProbePlan(settings, random);
            plans.Add(pool.Name, plan);
            foreach (Backend backend in pool.Backends.Where(b => b.IsResolved))
            {
                left.Remove(backend.State);
                Sync(pool, backend, plan, now);
            }
        }

        _plans = plans;
        _hasBegun = true;
        foreach (BackendState state in left)
        {
            Drop(state);
        }
    }

    public void Clear()
    {
        foreach (BackendState state in _targets.Keys.ToArray())
        {
            Drop(state);
        }
    }

    private void Sync(Pool pool, Backend backend, ProbePlan plan, Instant now)
    {
        if (_targets.TryGetValue(backend.State, out ProbeTarget? target) && !target.IsProbedAt(backend, plan))
        {
            // The result of a probe of the old address is of no use any more.
            Drop(backend.State);
            target = null;
        }

        if (target is null)
        {
            target = new ProbeTarget(pool, backend, plan);
            _targets.Add(backend.State, target);

            // At the start all backends are new, and their probes are spread. A backend that joins later, or whose address has changed, is
            // probed at once.
            agenda.Set(target, _hasBegun ? now : now + plan.Schedule.First());
        }
        else if (target.Sync(pool, backend, plan))
        {
            // The sooner of the next probe under the old interval and a first one under the new: "1h" to "2s" must not take an hour.
            agenda.Advance(target, now + plan.Schedule.Anew());
        }
    }

    private void Drop(BackendState state)
    {
        _targets.Remove(state, out ProbeTarget? target);
        target!.IsGone = true;
        target.Running?.Abandon();
        target.Running = null;
    }
}
