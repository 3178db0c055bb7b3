using System.Net.NetworkInformation;

namespace L4Balancer.Bench.Machine;

/// <summary>Whether somebody listens, found out without a connection, which would already count as the first one.</summary>
internal static class ListeningPorts
{
    public static bool All(IReadOnlyCollection<int> ports)
    {
        HashSet<int> open = [.. IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(l => l.Port)];
        return ports.All(open.Contains);
    }
}
