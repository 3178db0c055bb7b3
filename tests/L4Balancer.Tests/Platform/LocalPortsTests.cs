using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Platform;

namespace L4Balancer.Tests.Platform;

/// <summary>What this host gives to connects.</summary>
internal sealed class LocalPortsTests
{
    [TestCase("0")]
    [TestCase("2")]
    public void Backends_that_are_not_on_loopback_are_named_where_ports_rest(string reuse)
    {
        string? warning = LocalPorts.Warning(Of("127.0.0.1:80", "10.0.0.1:80", "[2001:db8::1]:80"), reuse);

        Assert.That(warning, Does.StartWith($"net.ipv4.tcp_tw_reuse is {reuse} and backends are not on loopback (chat/b1 and 1 more)"));
        Assert.That(warning, Does.EndWith("sysctl net.ipv4.tcp_tw_reuse=1 allows reuse after a second"));
    }

    [TestCase("1", "10.0.0.1:80")]
    [TestCase(null, "10.0.0.1:80")]
    [TestCase("0", "127.0.0.1:80")]
    [TestCase("2", "[::1]:80")]
    public void Nothing_is_said_where_all_is_well_or_nobody_knows(string? reuse, string address)
    {
        Assert.That(LocalPorts.Warning(Of(address), reuse), Is.Null);
    }

    [Test]
    public void Packets_need_no_ports()
    {
        BalancerConfig config = Of("10.0.0.1:80") with { Listeners = [Listener("p", ListenerMode.Packet)] };
        Assert.That(LocalPorts.Warning(config, "2"), Is.Null);
        Assert.That(
            LocalPorts.Warning(config with { Listeners = [.. config.Listeners, Listener("r", ListenerMode.Relay)] }, "2"), Is.Not.Null, "connections to the same pool do");
    }

    [Test]
    [Platform("Linux")]
    public void Range_is_the_one_of_this_host()
    {
        PortRange range = LocalPorts.Range();

        Assert.That($"{range.First}\t{range.Last}", Is.EqualTo(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Trim()));
        Assert.That(range.Count, Is.InRange(1, range.Last - range.First + 1));
    }

    private static ListenerSettings Listener(string name, ListenerMode mode) => new() { Name = name, Bind = [], Pool = "chat", Mode = mode };

    private static BalancerConfig Of(params string[] addresses) => new()
    {
        Pools =
        [
            new PoolSettings
            {
                Name = "chat",
                Backends =
                [
                    .. addresses.Select((a, i) => new BackendSettings
                    {
                        Name = $"b{i}", Address = a, Endpoint = Core.Addressing.Endpoint.TryParse(a, out var endpoint) ? endpoint : default,
                    }),
                ],
            },
        ],
    };
}
