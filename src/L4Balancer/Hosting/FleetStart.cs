using System.Collections.Immutable;
using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Fleet;
using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>Makes the daemon a member of its fleet.</summary>
internal static class FleetStart
{
    /// <param name="settings">Null without a fleet.</param>
    /// <param name="parts">Own the membership.</param>
    /// <returns>The membership, which joins when it is started; it is the control plane's way to share what operators set.</returns>
    public static FleetService? Join(
        FleetSettings? settings, BalancerControl control, DesiredState desired, ServiceReport service, OwnedResources parts, TimeProvider clock,
        ILoggerFactory loggers)
    {
        if (settings is null)
        {
            return null;
        }

        var self = new FleetMember(settings.Id.Length > 0 ? settings.Id : Environment.MachineName, Guid.NewGuid().ToString("N"))
        {
            Host = $"{Environment.MachineName}, pid {Environment.ProcessId}",
            Version = BuildVersion.Current.Version,
            Started = clock.GetUtcNow(),
        };
        var fleet = new FleetService(
            settings, self, me => new FleetView(me, () => control.Now, AddressesOf, () => !service.IsDraining), control, clock,
            loggers.CreateLogger<FleetService>());
        parts.Own(fleet);
        control.Sharing = fleet;
        control.Events.HealthChanged += fleet.Changed;
        control.Events.Reloaded += _ => fleet.Changed();
        fleet.Follow(desired);
        return fleet;
    }

    private static ImmutableArray<string> AddressesOf(BalancerConfig config) =>
        config.Dns is { } dns ? [.. dns.Address.Select(static a => a.ToString())] : [];
}
