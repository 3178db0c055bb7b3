using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>What the control loop lets the rest of the daemon know. Handlers run on the loop: they neither block nor throw.</summary>
internal sealed class ControlEvents : ISnapshotParticipant
{
    /// <summary>A backend has changed between up, degraded and down or its mode was set, or another snapshot is in force.</summary>
    public event Action? HealthChanged;

    /// <summary>A reload begins.</summary>
    public event Action? ReloadBegins;

    /// <summary>A reload has ended, whatever the result.</summary>
    public event Action? ReloadEnds;

    /// <summary>
    /// The file has been read again and is in force, whether it says something else or not. Raised before the reload is answered.
    /// </summary>
    public event Action<BalancerConfig>? Reloaded;

    public void Commit(RoutingSnapshot? before, RoutingSnapshot now)
    {
        if (before is not null)
        {
            OnHealthChanged();
        }
    }

    public void OnHealthChanged() => HealthChanged?.Invoke();

    public void OnReloadBegins() => ReloadBegins?.Invoke();

    public void OnReloadEnds() => ReloadEnds?.Invoke();

    public void OnReloaded(BalancerConfig config) => Reloaded?.Invoke(config);
}
