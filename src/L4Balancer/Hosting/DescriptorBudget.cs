using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Hosting;

/// <summary>How many connections the descriptor limit leaves room for.</summary>
/// <param name="Limit">Descriptors that the process may hold.</param>
/// <param name="Reserve">Kept for everything that is not a connection.</param>
/// <param name="Connections">At two descriptors each; 0 or less where there is no room for one.</param>
internal sealed record DescriptorBudget(long Limit, long Reserve, int Connections)
{
    /// <summary>One towards the client, one towards the backend.</summary>
    private const int PerConnection = 2;

    /// <summary>The runtime, its assemblies, standard streams, the log, and the scrapes of the metrics.</summary>
    private const int Base = 256;

    /// <summary>What the configuration asks for besides: each bind listens, and each backend can be under probe at the same time.</summary>
    public static DescriptorBudget For(BalancerConfig config, long limit)
    {
        long reserve = Base + config.Listeners.Sum(l => l.Bind.Length)
            + config.Pools.Where(p => p.Health.Type != HealthType.None).Sum(p => p.Backends.Length);
        return new DescriptorBudget(limit, reserve, (int)Math.Clamp((limit - reserve) / PerConnection, 0, int.MaxValue));
    }

    /// <summary>Raises the soft limit to the hard one.</summary>
    /// <param name="limit">The limit in force; where the platform has none that we know, as good as unlimited.</param>
    /// <returns>0, or the errno that kept it from being raised.</returns>
    public static int Raise(out long limit)
    {
        limit = int.MaxValue;
        return OperatingSystem.IsLinux() ? ResourceLimits.RaiseDescriptorLimit(out limit) : 0;
    }
}
