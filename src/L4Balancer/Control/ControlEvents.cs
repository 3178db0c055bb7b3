using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>Events of the control loop for the rest of the daemon. Handlers run on the loop: they must neither block nor throw.</summary>
internal sealed class ControlEvents : ISnapshotParticipant
{
    /// <summary>A backend has changed between up, degraded and down, its mode was set, or another snapshot is in force.</summary>
    public event Action? HealthChanged;

    /// <summary>A reload begins.</summary>
    public event Action? ReloadBegins;

    /// <summary>A reload has ended, whatever the result.</summary>
    public event Action? ReloadEnds;

    /// <summary>
    /// The file has been read again and is in force, whether its content has changed or not. Raised before the reload completes for its
    /// caller.
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
