using L4Balancer.Core.Config;

namespace L4Balancer.Configuration;

/// <summary>Settings that a running process keeps: threads, engine, and what the control plane itself listens on.</summary>
internal static class FixedAtStart
{
    /// <returns>The new configuration as far as it can be put in force now.</returns>
    public static BalancerConfig Keep(BalancerConfig inForce, BalancerConfig wanted) => wanted with
    {
        Balancer = wanted.Balancer with
        {
            Workers = inForce.Balancer.Workers,
            Engine = inForce.Balancer.Engine,
            LogFormat = inForce.Balancer.LogFormat,
        },
        Admin = wanted.Admin with { Socket = inForce.Admin.Socket, Listen = inForce.Admin.Listen },
        Metrics = inForce.Metrics,
    };
}
