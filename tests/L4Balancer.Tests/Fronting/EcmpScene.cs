using System.Net;

namespace L4Balancer.Tests.Fronting;

/// <summary>
/// packaging/examples/bird, file by file: a router with BIRD between a client and three balancers, which announce the service by BGP
/// with BFD.
/// </summary>
internal sealed class EcmpScene : IAsyncDisposable
{
    private const string Example = "bird";

    // What the kernel of the router has to know.
    private const string Trial = """
        ip link add one type veth peer name two; ip addr add 10.9.9.1/24 dev one; ip link set one up; ip link set two up
        ip nexthop add id 1 via 10.9.9.2 dev one; ip nexthop add id 2 group 1 type resilient buckets 8
        ip nexthop flush >/dev/null; ip link del one
        """;

    private readonly VirtualNetwork _network;
    private readonly Dictionary<FrontBalancer, HostProcess> _bird = [];

    private EcmpScene(VirtualNetwork network, VirtualHost client, FrontBalancer[] balancers)
    {
        _network = network;
        Client = client;
        Balancers = balancers;
    }

    public static IPEndPoint Service { get; } = IPEndPoint.Parse("192.0.2.10:443");

    public static IPEndPoint ServiceV6 { get; } = IPEndPoint.Parse("[2001:db8:0:10::10]:443");

    public VirtualHost Client { get; }

    public FrontBalancer[] Balancers { get; }

    /// <summary>It prints a line whenever balancers come or go, of the IPv4 address.</summary>
    public HostProcess NextHops { get; private set; } = null!;

    public string[] Addresses => [.. Balancers.Select(b => b.Address)];

    public static async Task<EcmpScene> StartAsync()
    {
        VirtualNetwork network = await VirtualNetwork.StartAsync(["bird", "birdc", "curl"], Trial);
        VirtualHost backends = await network.AddHostAsync("backends", "10.0.0.21/24", "10.0.0.22/24");
        network.Own(await NamingBackend.StartAsync(backends, IPEndPoint.Parse("10.0.0.21:8443"), IPEndPoint.Parse("10.0.0.22:8443")));
        VirtualHost router = await network.AddHostAsync("router", "10.0.0.1/24", "2001:db8:1::1/64");
        VirtualHost client = await network.AddHostAsync("client");
        await ConnectAsync(router, client);
        var balancers = new List<FrontBalancer>();
        for (int i = 1; i <= 3; i++)
        {
            VirtualHost host = await network.AddHostAsync($"lb{i}", $"10.0.0.1{i}/24", $"2001:db8:1::1{i}/64");
            await host.ShellAsync("""
                ip addr add 192.0.2.10/32 dev lo; ip addr add 2001:db8:0:10::10/128 dev lo
                ip route add default via 10.0.0.1; ip -6 route add default via 2001:db8:1::1
                """);
            balancers.Add(network.Own(new FrontBalancer(host, $"10.0.0.1{i}", FrontBalancer.FileOf(Example))));
        }

        var scene = new EcmpScene(network, client, [.. balancers]);
        await router.InstallAsync(Example, "/etc/bird", "bird-router.conf as bird.conf", "resilient-nexthops");
        scene.StartBird(router);
        scene.NextHops = network.Own(new HostProcess(router, "/etc/bird/resilient-nexthops", "192.0.2.10/32", "100", "100"));
        network.Own(new HostProcess(router, "/etc/bird/resilient-nexthops", "2001:db8:0:10::10/128", "100", "200"));
        await Task.WhenAll(balancers.Select(b => b.StartAsync()));
        foreach (FrontBalancer balancer in balancers)
        {
            await balancer.Host.InstallAsync(Example, "/etc/bird", "bird-balancer.conf as bird.conf", "announce");
            scene._bird[balancer] = scene.StartBird(balancer.Host);
            network.Own(new HostProcess(balancer.Host, "/etc/bird/announce"));
        }

        return scene;
    }

    public Task KillBirdAsync(FrontBalancer balancer) => _bird[balancer].KillAsync();

    public void StartBirdAgain(FrontBalancer balancer) => _bird[balancer] = StartBird(balancer.Host);

    public Task SetPortAsync(FrontBalancer balancer, bool on) => _network.SetPortAsync(balancer.Host, on);

    /// <summary>Connections that stay open.</summary>
    public async Task<FrontClient[]> HoldAsync(IPEndPoint service, int count)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        var held = new FrontClient[count];
        for (int i = 0; i < count; i++)
        {
            held[i] = await FrontClient.ConnectAsync(Client, service, deadline.Token);
        }

        return held;
    }

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    // The client is behind the router's second interface, not on the switch. The sysctls are those of the README.
    private static async Task ConnectAsync(VirtualHost router, VirtualHost client)
    {
        await client.ShellAsync("ip link del eth0");
        await router.ShellAsync($"""
            ip link add eth1 type veth peer name eth0 netns {client.HolderId}
            ip addr add 203.0.113.1/24 dev eth1; ip addr add 2001:db8:2::1/64 dev eth1 nodad; ip link set eth1 up
            echo 1 > /proc/sys/net/ipv4/ip_forward
            echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
            echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy
            echo 1 > /proc/sys/net/ipv6/fib_multipath_hash_policy
            """);
        await client.ShellAsync("""
            ip addr add 203.0.113.2/24 dev eth0; ip addr add 2001:db8:2::2/64 dev eth0 nodad; ip link set eth0 up
            ip route add default via 203.0.113.1; ip -6 route add default via 2001:db8:2::1
            """);
    }

    private HostProcess StartBird(VirtualHost host) => _network.Own(new HostProcess(
        host, "sh", "-c", "mkdir -p /run/bird; rm -f /run/bird/bird.ctl; exec bird -f -c /etc/bird/bird.conf"));
}
