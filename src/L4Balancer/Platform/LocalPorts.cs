using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;

namespace L4Balancer.Platform;

/// <summary>What this host gives to connects: the range of local ports, and whether it gives one again that rests in TIME_WAIT (ip(7), tcp(7)).</summary>
internal static class LocalPorts
{
    private const string Folder = "/proc/sys/net/ipv4/";
    private const string Reuse = "tcp_tw_reuse";

    /// <summary>Of the network namespace that the process is in; <see cref="PortRange.Unknown"/> where the platform does not say.</summary>
    public static PortRange Range()
    {
        string? range = Read("ip_local_port_range");
        string? reserved = Read("ip_local_reserved_ports");
        return range is null || reserved is null ? PortRange.Unknown : PortRange.Parse(range, reserved);
    }

    /// <returns>What to say to whoever wrote the configuration, without a full stop; null where all is well.</returns>
    public static string? Warning(BalancerConfig config) => Warning(config, Read(Reuse)?.Trim());

    /// <param name="reuse">What tcp_tw_reuse says: 0 never, 1 after a second, 2 so on loopback only; null where nobody knows.</param>
    internal static string? Warning(BalancerConfig config, string? reuse)
    {
        ImmutableArray<string> away =
        [
            .. config.Pools.SelectMany(p => p.Backends, (p, b) => (Pool: p.Name, Backend: b))
                .Where(b => IsAway(b.Backend)).Select(b => $"{b.Pool}/{b.Backend.Name}"),
        ];
        return reuse is null or "1" || away.IsEmpty ? null
            : $"net.ipv4.{Reuse} is {reuse} and backends are not on loopback ({away[0]}{(away.Length > 1 ? $" and {away.Length - 1} more" : "")}): "
                + "where clients close first the local port of each connection rests for 60 s, so that a source address carries only so many "
                + $"of them a minute to a backend as it has ports; sysctl net.ipv4.{Reuse}=1 lets ports serve again after a second";
    }

    // What a name stands for is not asked here: a file is checked where its names need not be known.
    private static bool IsAway(BackendSettings backend) =>
        backend.Endpoint is { } known ? !known.Address.IsLoopback : backend.Host is { } name && name.Host != "localhost";

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
