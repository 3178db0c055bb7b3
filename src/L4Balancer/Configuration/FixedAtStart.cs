using L4Balancer.Core.Config;

namespace L4Balancer.Configuration;

/// <summary>
/// Settings that cannot change in a running process: threads, engine, the control plane's own listeners, and the protocol of listening
/// sockets that are kept.
/// </summary>
internal static class FixedAtStart
{
    /// <returns>The new configuration, with the old values of settings that need a restart.</returns>
    public static BalancerConfig Keep(BalancerConfig inForce, BalancerConfig wanted) => wanted with
    {
        FromEnvironment = wanted.FromEnvironment.SetItems(
            inForce.FromEnvironment.Where(static e => e.Key.Split('[')[0] is not ("listeners" or "pools"))),
        Balancer = wanted.Balancer with
        {
            Workers = inForce.Balancer.Workers,
            Engine = inForce.Balancer.Engine,
            HeldMemory = inForce.Balancer.HeldMemory,
            LogFormat = inForce.Balancer.LogFormat,
            Keeper = inForce.Balancer.Keeper,
            KeeperTimeout = inForce.Balancer.KeeperTimeout,
            StateFile = inForce.Balancer.StateFile,
        },
        Admin = wanted.Admin with { Socket = inForce.Admin.Socket, Listen = inForce.Admin.Listen },
        Metrics = inForce.Metrics,
        Fleet = inForce.Fleet,
        Endpoint = inForce.Endpoint is null || wanted.Endpoint is null ? inForce.Endpoint : wanted.Endpoint with
        {
            Listen = inForce.Endpoint.Listen,
            CertFile = inForce.Endpoint.CertFile,
            KeyFile = inForce.Endpoint.KeyFile,
        },
        Dns = inForce.Dns is null ? null : (wanted.Dns ?? inForce.Dns) with { Listen = inForce.Dns.Listen },
        Listeners = [.. wanted.Listeners.Select(l => l with { Mptcp = MptcpOf(l, inForce) })],
    };

    // An address that stays keeps its socket, and the protocol of a socket is fixed when it is made.
    private static bool MptcpOf(ListenerSettings wanted, BalancerConfig inForce) =>
        inForce.Listeners.FirstOrDefault(l => l.Bind.Any(e => !e.IsUnix && wanted.Bind.Contains(e)))?.Mptcp ?? wanted.Mptcp;
}
