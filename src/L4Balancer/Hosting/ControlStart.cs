using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Platform;
using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>Creates the control plane of a daemon, whose engine runs.</summary>
internal static class ControlStart
{
    /// <param name="parts">Own it, and what writes down what operators set.</param>
    /// <param name="path">The file of the configuration; null if it was not read from a file.</param>
    public static BalancerControl Create(
        ActiveConfig active, FirstState first, IEngine engine, IPacketForwarding packets, DescriptorBudget budget, string? path, OwnedResources parts,
        TimeProvider clock, ILoggerFactory loggers, ILogger log)
    {
        var control = new BalancerControl(active, engine, first.Names, first.Discovery, budget.Limit, path, clock, loggers, first.Before, packets);
        if (first.StateFile is not null)
        {
            var state = new StateWriter(first.StateFile, active.Desired, clock, log);
            parts.Own(state);
            control.State = state;
        }

        parts.Own(control);
        return control;
    }

    /// <summary>Lets what depends on the configuration and on health follow the control plane, which is about to start.</summary>
    /// <param name="reloaded">Another configuration is in force.</param>
    public static void Connect(BalancerControl control, ServiceReport service, Action<BalancerConfig> reloaded)
    {
        // Answers of name servers and of sources between the first snapshot and this point found no control plane to report to.
        control.NamesChanged();
        control.DiscoveryChanged();
        control.Events.ReloadBegins += service.Reloading;
        control.Events.ReloadEnds += service.Ready;
        control.Events.Reloaded += reloaded;
    }
}
