using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;

namespace L4Balancer.Platform;

/// <summary>The local ports of this host: their range, and whether a port in TIME_WAIT is reused (ip(7), tcp(7)).</summary>
internal static class LocalPorts
{
    private const string Folder = "/proc/sys/net/ipv4/";
    private const string Reuse = "tcp_tw_reuse";

    /// <summary>The range of the process's network namespace; <see cref="PortRange.Unknown"/> if the platform does not report it.</summary>
    public static PortRange Range()
    {
        string? range = Read("ip_local_port_range");
        string? reserved = Read("ip_local_reserved_ports");
        return range is null || reserved is null ? PortRange.Unknown : PortRange.Parse(range, reserved);
    }

    /// <returns>A warning about the configuration, without a final full stop; null if there is none.</returns>
    public static string? Warning(BalancerConfig config) => Warning(config, Read(Reuse)?.Trim());

    /// <param name="reuse">
    /// The value of tcp_tw_reuse: 0 never, 1 after a second, 2 after a second on loopback only; null if it is not known.
    /// </param>
    internal static string? Warning(BalancerConfig config, string? reuse)
    {
        ImmutableArray<string> away =
        [
            .. config.Pools.Where(p => !IsOfPackets(config, p.Name)).SelectMany(p => p.Backends, (p, b) => (Pool: p.Name, Backend: b))
                .Where(b => IsAway(b.Backend)).Select(b => $"{b.Pool}/{b.Backend.Name}"),
        ];
        return reuse is null or "1" || away.IsEmpty ? null
            : $"net.ipv4.{Reuse} is {reuse} and backends are not on loopback ({away[0]}{(away.Length > 1 ? $" and {away.Length - 1} more" : "")}): "
                + "if clients close first, the local port of each connection stays in TIME_WAIT for 60 s, so the connections per minute from a "
                + $"source address to a backend are limited to its number of ports; sysctl net.ipv4.{Reuse}=1 allows reuse after a second";
    }

    // Packets are sent on without a port of this host.
    private static bool IsOfPackets(BalancerConfig config, string pool) =>
        config.Listeners.Any(l => l.Mode == ListenerMode.Packet && l.Pool == pool)
        && !config.Listeners.Any(l => l.Mode != ListenerMode.Packet && (l.Pool == pool || l.Routes.Any(r => r.Pool == pool)));

    // Names are not resolved here: `check` may run on a host where they do not resolve.
    private static bool IsAway(BackendSettings backend) =>
        backend.Endpoint is { } known ? !known.Address.IsLoopback && !known.IsUnix : backend.Host is { } name && name.Host != "localhost";

    private static string? Read(string name)
    {
        try
        {
            return OperatingSystem.IsLinux() ? File.ReadAllText(Folder + name) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
