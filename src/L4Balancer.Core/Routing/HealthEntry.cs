using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <summary>What the board knows of one backend, from the snapshot that brought it to the one that no longer has it. One writer.</summary>
internal sealed class HealthEntry(Pool pool, Backend backend)
{
    /// <summary>Of the newest snapshot, as <see cref="Backend"/>.</summary>
    public Pool Pool { get; private set; } = pool;

    public Backend Backend { get; private set; } = backend;

    public BackendCell Cell => Backend.Cell;

    public HealthTracker Tracker { get; } = new(pool.Settings.Health.Rise, pool.Settings.Health.Fall);

    /// <summary>Where nobody probes it: when a connection is let through to see.</summary>
    public Instant TrialAt { get; set; } = Instant.Never;

    public bool IsProbed => Pool.Settings.Health.Type != HealthType.None;

    /// <summary>
    /// How it would stand in that pool. Who was taken down by what is switched off there comes back: by probes where there are none, by
    /// connects where they do not count.
    /// </summary>
    public HealthState StateIn(Pool pool)
    {
        bool probed = pool.Settings.Health.Type != HealthType.None;
        bool stays = Tracker.IsByConnects ? pool.Settings.Passive.Failures > 0 : probed;
        return !stays ? HealthState.Up : probed && Tracker.State == HealthState.Trial ? HealthState.Down : Tracker.State;
    }

    /// <summary>The same backend in a newer snapshot.</summary>
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
