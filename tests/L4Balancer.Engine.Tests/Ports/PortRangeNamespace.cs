namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// A network namespace (network_namespaces(7)) with a loopback interface and sixteen ephemeral ports. A namespace belongs to
/// threads, and sockets are opened on threads of the pool: so a body runs as a process of its own, by way of Program.cs.
/// </summary>
internal static class PortRangeNamespace
{
    public const int Ports = 16;

    private const string SetUp = "ip link set lo up && echo '40000 40015' > /proc/sys/net/ipv4/ip_local_port_range";

    /// <summary>Runs a body of Program.cs; skips the test where this host lets nobody make a namespace.</summary>
    public static Task RunAsync(params string[] body) => TestNamespace.RunAsync(SetUp, $"{SetUp} && exec \"$@\"", body);

    /// <summary>The same with another range, and backlogs as long as it.</summary>
    public static Task RunAsync(int first, int last, params string[] body)
    {
        string setUp = $"ip link set lo up && echo '{first} {last}' > /proc/sys/net/ipv4/ip_local_port_range"
            + $" && echo {last - first + 1} > /proc/sys/net/core/somaxconn";
        return TestNamespace.RunAsync(setUp, $"{setUp} && exec \"$@\"", body);
    }
}
