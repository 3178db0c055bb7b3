using System.Runtime.CompilerServices;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Platform;

/// <summary>The number of connections that the descriptor limit allows.</summary>
/// <param name="Limit">Maximum number of descriptors of the process.</param>
/// <param name="Reserve">Descriptors reserved for everything except connections.</param>
/// <param name="PipesPerWorker">Pipes for streams that the epoll engine splices; they are part of the reserve.</param>
/// <param name="Connections">Maximum number of connections, at two descriptors each; 0 or less if there is no room for one.</param>
internal sealed record DescriptorBudget(long Limit, long Reserve, int PipesPerWorker, int Connections)
{
    /// <summary>One socket to the client, one to the backend.</summary>
    private const int PerConnection = 2;

    /// <summary>
    /// The runtime, standard streams, the log, name look-ups, notifications and scrapes of the metrics. A native daemon with the admin API and
    /// metrics holds 18 descriptors after its start and 19 after 10,000 scrapes; the rest is for what is under way at one time.
    /// </summary>
    private const int NativeBase = 64;

    /// <summary>The portable runtime holds about 150 descriptors after its start: it opens each assembly once or more often.</summary>
    private const int PortableBase = 256;

    /// <summary>Maximum for the admin API on its local socket, and again on the address of <c>listen</c>.</summary>
    public const int PerAdminAddress = 64;

    private const int FewestEndpointConnections = 32;
    private const int MostEndpointConnections = 1024;

    /// <summary>One in 16 descriptors: a client asks, and closes its connection or leaves it idle.</summary>
    private const int EndpointShare = 16;

    /// <summary>Maximum of TCP connections for DNS questions, for each address of <c>[dns] listen</c>.</summary>
    public const int DnsConnections = 64;

    /// <summary>UDP, TCP and the connections of clients.</summary>
    private const int PerDnsAddress = 2 + DnsConnections;

    /// <summary>
    /// Of a pool with a source, whose backends are not known before it has answered: one in 16 descriptors for their probes.
    /// </summary>
    private const int DiscoveryShare = 16;

    /// <summary>What a source has open at one time: <c>dns</c> asks up to 16 questions together.</summary>
    private const int PerSource = 16;

    /// <summary>The two ends of a pipe.</summary>
    private const int PerPipe = 2;

    /// <summary>A worker's epoll instance and its eventfd.</summary>
    private const int PerWorker = 2;

    private const int MostPipesPerWorker = 256;

    // Maps, programs and their link, even if each listener has an interface of its own.
    private const int PerPacketListener = 16;

    /// <summary>
    /// At most one in 16 descriptors is used for pipes: without a pipe a stream is copied, but without a socket descriptor a client is
    /// refused.
    /// </summary>
    private const int PipeShare = 16;

    internal static int Base => RuntimeFeature.IsDynamicCodeSupported ? PortableBase : NativeBase;

    /// <summary>
    /// Computes the budget of a configuration: the reserve includes its listening sockets, the admin and the endpoint API, simultaneous probes and
    /// the sources of backends.
    /// </summary>
    public static DescriptorBudget For(BalancerConfig config, long limit, int workers)
    {
        int pipes = (int)Math.Clamp(limit / PipeShare / PerPipe / workers, 1, MostPipesPerWorker);
        long reserve = Base + ((long)workers * (PerWorker + (pipes * PerPipe))) + config.Listeners.Sum(static l => l.Mode == ListenerMode.Packet ? PerPacketListener : l.Bind.Length)
            + ((config.Dns?.Listen.Length ?? 0) * PerDnsAddress)
            + (config.Admin.Socket.Length > 0 ? PerAdminAddress : 0) + (config.Admin.Listen is null ? 0 : PerAdminAddress)
            + (config.Endpoint is null ? 0 : EndpointConnections(limit))
            + Probes(config, limit) + (config.Pools.Count(p => p.Discovery is not null) * PerSource);
        return new DescriptorBudget(limit, reserve, pipes, (int)Math.Clamp((limit - reserve) / PerConnection, 0, int.MaxValue));
    }

    private static long Probes(BalancerConfig config, long limit)
    {
        PoolSettings[] probed = [.. config.Pools.Where(p => p.Health.Type != HealthType.None)];
        long discovered = probed.Any(p => p.Discovery is not null) ? limit / DiscoveryShare : 0;
        return Math.Min(probed.Sum(p => p.Backends.Length) + discovered, Prober.MostDescriptors);
    }

    /// <summary>Maximum for <c>[endpoint] listen</c>.</summary>
    public static int EndpointConnections(long limit) =>
        (int)Math.Clamp(limit / EndpointShare, FewestEndpointConnections, MostEndpointConnections);

    public static DescriptorBudget For(BalancerConfig config, long limit) => For(config, limit, WorkersOf(config.Balancer));

    /// <summary>Number of event-loop threads of an engine that has event loops.</summary>
    public static int WorkersOf(BalancerSettings settings) => settings.Workers > 0 ? settings.Workers : Environment.ProcessorCount;

    /// <summary>An error if the limit is too low for any connection; otherwise null.</summary>
    public string? WhyNot() => Connections > 0
        ? null
        : $"the descriptor limit of {Limit} leaves no room for connections: raise it (LimitNOFILE, or ulimit -n) above {Reserve + 2}";

    /// <summary>Maximum number of connections of the process: the configured value, capped by the descriptor limit.</summary>
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
    /// <param name="limit">The active limit; a very large number if the platform has no known limit.</param>
    /// <returns>0, or the errno of the failure.</returns>
    public static int Raise(out long limit)
    {
        limit = int.MaxValue;
        return OperatingSystem.IsLinux() ? ResourceLimits.RaiseDescriptorLimit(out limit) : 0;
    }
}
