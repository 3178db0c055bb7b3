using System.Runtime.CompilerServices;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Platform;

/// <summary>How many connections the descriptor limit leaves room for.</summary>
/// <param name="Limit">Descriptors that the process may hold.</param>
/// <param name="Reserve">Kept for everything that is not a connection.</param>
/// <param name="PipesPerWorker">For the streams that the epoll engine splices; they are in the reserve.</param>
/// <param name="Connections">At two descriptors each; 0 or less where there is no room for one.</param>
internal sealed record DescriptorBudget(long Limit, long Reserve, int PipesPerWorker, int Connections)
{
    /// <summary>One towards the client, one towards the backend.</summary>
    private const int PerConnection = 2;

    /// <summary>
    /// The runtime, standard streams, the log, name look-ups and scrapes of the metrics. A native daemon holds about 20 of them at rest and was
    /// seen to hold 31 under scrapes, look-ups and reloads at once. The portable runtime adds one or more for each assembly: about 150 at
    /// its start, 200 after some use.
    /// </summary>
    private const int NativeBase = 64;

    private const int PortableBase = 256;

    /// <summary>What the admin API may hold on its local socket, and again on the address of <c>listen</c>.</summary>
    public const int PerAdminAddress = 64;

    /// <summary>Both ends of a pipe.</summary>
    private const int PerPipe = 2;

    /// <summary>A worker's epoll instance and its wake-up.</summary>
    private const int PerWorker = 2;

    private const int MostPipesPerWorker = 256;

    /// <summary>At most one descriptor in so many is for pipes: without one a stream is copied, without the other a client is refused.</summary>
    private const int PipeShare = 16;

    internal static int Base => RuntimeFeature.IsDynamicCodeSupported ? PortableBase : NativeBase;

    /// <summary>What the configuration asks for besides: each bind listens, the admin API
    /// answers, and backends are under probe at the same time.</summary>
    public static DescriptorBudget For(BalancerConfig config, long limit, int workers)
    {
        int pipes = (int)Math.Clamp(limit / PipeShare / PerPipe / workers, 1, MostPipesPerWorker);
        long reserve = Base + ((long)workers * (PerWorker + (pipes * PerPipe))) + config.Listeners.Sum(l => l.Bind.Length)
            + (config.Admin.Socket.Length > 0 ? PerAdminAddress : 0) + (config.Admin.Listen is null ? 0 : PerAdminAddress)
            + Math.Min(config.Pools.Where(p => p.Health.Type != HealthType.None).Sum(p => p.Backends.Length), Prober.MostDescriptors);
        return new DescriptorBudget(limit, reserve, pipes, (int)Math.Clamp((limit - reserve) / PerConnection, 0, int.MaxValue));
    }

    public static DescriptorBudget For(BalancerConfig config, long limit) => For(config, limit, WorkersOf(config.Balancer));

    /// <summary>Event-loop threads where an engine has its own.</summary>
    public static int WorkersOf(BalancerSettings settings) => settings.Workers > 0 ? settings.Workers : Environment.ProcessorCount;

    /// <summary>What keeps the configuration from running; null where there is room.</summary>
    public string? WhyNot() => Connections > 0
        ? null
        : $"the descriptor limit of {Limit} leaves no room for connections: raise it (LimitNOFILE, or ulimit -n) above {Reserve + 2}";

    /// <summary>How many connections the process may hold: what the configuration says, within what the limit allows.</summary>
    public int ConnectionsFor(BalancerSettings settings, ILogger log)
    {
        if (settings.MaxConnections <= Connections)
        {
            return settings.MaxConnections > 0 ? settings.MaxConnections : Connections;
        }

        log.ConnectionsCapped(settings.MaxConnections, Limit, Connections);
        return Connections;
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
