using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Platform;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>What this host gives, and in the log where a configuration asks for more.</summary>
internal static class HostLimits
{
    /// <summary>Raises the limit of descriptors as far as this process may.</summary>
    /// <returns>The number of descriptors that the process may hold.</returns>
    public static long Raise(ILogger log)
    {
        int errno = DescriptorBudget.Raise(out long limit);
        if (errno != 0)
        {
            log.LimitNotRaised(limit, errno);
        }

        return limit;
    }

    public static void Warn(BalancerConfig config, ILogger log)
    {
        if (LocalPorts.Warning(config) is string warning)
        {
            log.PortsRest(warning);
        }

        foreach (string limited in BufferLimits.Warnings(config))
        {
            log.BufferLimited(limited);
        }

        foreach ((string pool, HostAddress address) in SourceAddresses.NotHere(config))
        {
            log.SourceNotHere(pool, address.ToString());
        }
    }
}
