using L4Balancer.Engine.Tests.Peers;
using L4Balancer.Engine.Tests.Ports;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Backends to which there is no way: the kernel says so at once, or after a while.</summary>
[Platform("Linux")]
internal abstract class UnreachableContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    // On the second of them nobody answers for an address; ENETUNREACH is what a namespace says by itself.
    private const string SetUp = """
        set -e
        ip link set lo up
        ip route add unreachable 192.0.2.0/24
        ip link add near type veth peer name far
        ip addr add 198.51.100.1/24 dev near
        ip link set near up
        ip link set far up
        echo 1 > /proc/sys/net/ipv4/neigh/near/mcast_solicit
        echo 50 > /proc/sys/net/ipv4/neigh/near/retrans_time_ms

        """;

    [TestCase("192.0.2.1:7000", TestName = "{m}(EHOSTUNREACH of a route)")]
    [TestCase("198.51.100.9:7000", TestName = "{m}(EHOSTUNREACH after a while)")]
    [TestCase("203.0.113.1:7000", TestName = "{m}(ENETUNREACH)")]
    public async Task What_cannot_be_reached_has_failed_and_the_fault_says_so(string backend)
    {
        await using IEngine engine = NewEngine(new RecordedConnections());
        await TestNamespace.RunAsync(SetUp, $"{SetUp}exec \"$@\"", "unreachable", engine.Name, backend);
    }
}
