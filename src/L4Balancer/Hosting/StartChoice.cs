using L4Balancer.Core.Config;
using L4Balancer.Recovery;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>Finds out what a daemon goes on with.</summary>
internal static class StartChoice
{
    /// <param name="takeover">The process that is to be replaced; null: none.</param>
    /// <param name="descriptors">How many descriptors this process may hold.</param>
    /// <returns>To be disposed of when the daemon has started.</returns>
    /// <exception cref="L4Balancer.Upgrade.UpgradeException">The upgrade cannot go on.</exception>
    public static async Task<IStartKind> BeginAsync(
        Takeover? takeover, ConnectionKeeper keeper, BalancerConfig config, long descriptors, TimeProvider clock, ILogger log)
    {
        if (!OperatingSystem.IsLinux())
        {
            return new FreshStart();
        }

        if (takeover is not null)
        {
            return await StartInUpgrade.BeginAsync(takeover, config, descriptors, log);
        }

        return CrashRecovery.Find(keeper, clock, log) is { } crash ? new StartAfterCrash(crash, config) : new FreshStart();
    }
}
