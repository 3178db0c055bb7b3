using System.Collections.Immutable;
using System.Runtime.Versioning;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Platform;

/// <summary>Requirements of a configuration that depend on the host and are therefore checked at start.</summary>
internal static class PlatformNeeds
{
    /// <returns>The missing requirements, one line each, with the remedy.</returns>
    public static ImmutableArray<string> Missing(BalancerConfig config) =>
        OperatingSystem.IsLinux() ? MissingOnLinux(config) : LinuxOnly(config);

    [SupportedOSPlatform("linux")]
    private static ImmutableArray<string> MissingOnLinux(BalancerConfig config)
    {
        ImmutableArray<string>.Builder missing = ImmutableArray.CreateBuilder<string>();
        foreach ((string place, string name) in CongestionControls(config))
        {
            if (CongestionControl.WhyNot(name) is string reason)
            {
                missing.Add($"congestion_control = \"{name}\" ({place}): {reason}");
            }
        }

        return missing.ToImmutable();
    }

    private static ImmutableArray<string> LinuxOnly(BalancerConfig config)
    {
        ImmutableArray<string>.Builder missing = ImmutableArray.CreateBuilder<string>();
        if (config.Balancer.Engine == EngineKind.Epoll)
        {
            missing.Add("engine = \"epoll\" needs Linux; use \"auto\"");
        }

        if (config.Dns is not null)
        {
            missing.Add("[dns] needs Linux; leave it out");
        }

        missing.AddRange(CongestionControls(config).Select(c => $"congestion_control ({c.Place}) needs Linux; leave it out"));
        missing.AddRange(config.Listeners.Where(l => l.DeferAccept > TimeSpan.Zero)
            .Select(l => $"defer_accept (listener {l.Name}) needs Linux; leave it out"));
        missing.AddRange(config.Listeners.Where(l => l.Mptcp).Select(l => $"mptcp (listener {l.Name}) needs Linux; leave it out"));
        return missing.ToImmutable();
    }

    private static IEnumerable<(string Place, string Name)> CongestionControls(BalancerConfig config) =>
        config.Listeners.Select(l => ($"listener {l.Name}", l.CongestionControl))
            .Concat(config.Pools.Select(p => ($"pool {p.Name}", p.CongestionControl)))
            .Where(c => c.CongestionControl.Length > 0);
}
