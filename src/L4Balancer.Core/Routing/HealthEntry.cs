using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <summary>The health of one backend, from the snapshot that brought it to the one that no longer has it. One writer.</summary>
internal sealed class HealthEntry(Pool pool, Backend backend)
{
    /// <summary>The pool in the newest snapshot, as is <see cref="Backend"/>.</summary>
    public Pool Pool { get; private set; } = pool;

    public Backend Backend { get; private set; } = backend;

    public BackendState State => Backend.State;

    public HealthTracker Tracker { get; } = new(pool.Settings.Health.Rise, pool.Settings.Health.Fall);

    /// <summary>Without probes: when a trial connection is let through.</summary>
    public Instant TrialAt { get; set; } = Instant.Never;

    public bool IsProbed => Pool.Settings.Health.Type != HealthType.None;

    /// <summary>
    /// The state that the backend would have in that pool. A backend comes back if the check that took it down is switched off there:
    /// probes, or the counting of failed connects.
    /// </summary>
    public HealthState StateIn(Pool pool)
    {
        bool probed = pool.Settings.Health.Type != HealthType.None;
        bool stays = Tracker.IsByConnects ? pool.Settings.Passive.Failures > 0 : probed;
        return !stays ? HealthState.Up : probed && Tracker.State == HealthState.HalfOpen ? HealthState.Down : Tracker.State;
    }

    /// <summary>Moves to the same backend in a newer snapshot.</summary>
    public void Follow(Pool pool, Backend backend)
    {
        HealthState state = StateIn(pool);
        (Pool, Backend) = (pool, backend);
        Tracker.Retune(pool.Settings.Health.Rise, pool.Settings.Health.Fall);
        if (state == HealthState.Up && (Tracker.State != HealthState.Up || !IsProbed))
        {
            Tracker.Forget();
        }
        else if (state != Tracker.State)
        {
            Tracker.SetTrial(false);
        }
    }
}
