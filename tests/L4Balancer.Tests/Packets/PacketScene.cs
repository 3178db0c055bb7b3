using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Packets;

/// <summary>What a scene of packet listeners is made of.</summary>
/// <param name="Forward">As in the configuration. With <c>ipip</c> each backend takes the outer headers off.</param>
/// <param name="Balancers">With two the client reaches the service by a router, which spreads flows over them.</param>
internal sealed record PacketSetting(string Forward = "l2", bool SecondChance = false, int Flows = 100_000, int Balancers = 1);

/// <summary>
/// A client, balancers with a packet listener, and backends, each a host of its own on one switch. The balancers have no other listener, and one
/// configuration.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class PacketScene : IAsyncDisposable
{
    /// <summary>One of them is not in the configuration at first.</summary>
    public const int Backends = 9;

    public static readonly IPEndPoint Service = IPEndPoint.Parse("192.0.2.10:443");

    private const string Router = "10.0.0.200";

    private readonly VirtualNetwork _network;
    private readonly PacketSetting _setting;
    private readonly PacketBackend[] _backends = new PacketBackend[Backends + 1];
    private readonly string _file;

    private VirtualHost _router = null!;

    private PacketScene(VirtualNetwork network, PacketSetting setting)
    {
        _network = network;
        _setting = setting;
        _file = DaemonProcess.ConfigFileWith("");
        Write(8);
    }

    public VirtualHost Client { get; private set; } = null!;

    public List<FrontBalancer> Balancers { get; } = [];

    /// <summary>The first.</summary>
    public FrontBalancer Balancer => Balancers[0];

    /// <summary>Skips the test where it cannot be made, before any host is.</summary>
    public static async Task<PacketScene> StartAsync(PacketSetting? setting = null)
    {
        // What the driver of a card has by itself: the balancer's port of the switch polls, and packets that come from it have their checksums.
        VirtualNetwork network = await VirtualNetwork.StartAsync(["ethtool"], "mount -t bpf bpf /mnt; umount /mnt");
        var scene = new PacketScene(network, setting ?? new PacketSetting());
        await scene.AddClientAsync();
        await Task.WhenAll(Enumerable.Range(1, Backends).Select(scene.AddBackendAsync));
        await Task.WhenAll(Enumerable.Range(1, scene._setting.Balancers).Select(scene.AddBalancerAsync));
        scene.Balancers.Sort(static (a, b) => string.CompareOrdinal(a.Address, b.Address));
        await Task.WhenAll(scene.Balancers.Select(static b => b.StartAsync()));
        return scene;
    }

    /// <summary>The router sends flows to these balancers from now on, by a hash of the whole tuple.</summary>
    /// <param name="order">By their number; the order decides which flows go where.</param>
    public Task RouteAsync(params int[] order) => _router.ShellAsync(
        $"ip route replace {Service.Address}/32 {string.Join(' ', order.Select(static n => $"nexthop via 10.0.0.{n} dev eth0"))}");

    /// <summary>Writes the configuration.</summary>
    /// <param name="backends">The first of them are in it.</param>
    /// <param name="flows">Null: those of the setting.</param>
    public void Write(int backends, int? flows = null)
    {
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"""
            [balancer]
            shutdown_grace = "1s"
            [[listeners]]
            name = "wss"
            mode = "packet"
            interface = "eth0"
            bind = ["192.0.2.10:443"]
            forward = "{_setting.Forward}"
            second_chance = {(_setting.SecondChance ? "true" : "false")}
            flows = {flows ?? _setting.Flows}
            pool = "chat"
            [[pools]]
            name = "chat"
            balance = "maglev"
            [pools.health]
            interval = "500ms"
            fast_interval = "100ms"
            down_interval = "500ms"
            fall = 2
            rise = 1

            """));
        for (int i = 1; i <= backends; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"[[pools.backends]]\nname = \"ws{i}\"\naddress = \"10.0.0.{20 + i}:443\"\n");
        }

        File.WriteAllText(_file, text.ToString());
    }

    /// <summary>The backend that takes a new flow if all live, by Core and the file as it is.</summary>
    public Func<Endpoint, int> Expected()
    {
        BalancerConfig config = ConfigReader.Read(File.ReadAllBytes(_file)).Config!;
        Pool pool = RoutingSnapshot.Build(new DesiredState(config, MaxConnections: 1)).Pools[0];
        FlatTable table = pool.Flatten();
        Endpoint service = config.Listeners[0].Bind[0];
        return source => table.Pick(pool.Key.OfTuple(new FourTuple(source, service), new byte[TupleHash.MaxLength])) + 1;
    }

    public async Task<PacketClient[]> ConnectAsync(int count)
    {
        var clients = new PacketClient[count];
        for (int done = 0; done < count;)
        {
            int some = Math.Min(64, count - done);
            PacketClient[] batch = await Task.WhenAll(Enumerable.Range(0, some).Select(_ => PacketClient.ConnectAsync(Client, Service)));
            batch.CopyTo(clients, done);
            done += some;
        }

        return clients;
    }

    /// <summary>Returns once a new flow goes to this backend.</summary>
    public async Task FirstFlowOfAsync(int backend)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        int chosen = 0;
        while (chosen != backend)
        {
            deadline.Token.ThrowIfCancellationRequested();
            using PacketClient client = await PacketClient.ConnectAsync(Client, Service);
            chosen = client.Backend;
        }
    }

    /// <summary>How many of them still get their bytes.</summary>
    public static async Task<int> LivingAsync(IEnumerable<PacketClient> clients) =>
        (await Task.WhenAll(clients.Select(static c => c.LivesAsync()))).Count(static l => l);

    /// <summary>Ends a backend, and waits until no new flow goes there.</summary>
    public async Task KillBackendAsync(int number)
    {
        await _backends[number].DisposeAsync();
        await IsAvoidedAsync(number);
    }

    /// <summary>Returns once the daemon has found a backend that does not listen, and new flows go elsewhere: a moment later.</summary>
    public async Task IsAvoidedAsync(int number)
    {
        const int flows = 64;
        await Balancer.Daemon.LineWithAsync($"chat/ws{number} (10.0.0.{20 + number}:443) is down");
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        bool isAvoided = false;
        while (!isAvoided)
        {
            deadline.Token.ThrowIfCancellationRequested();
            try
            {
                Array.ForEach(await ConnectAsync(flows), static c => c.Dispose());
                isAvoided = true;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                // One of them still went there.
            }
        }
    }

    /// <summary>Runs a command of the program at the balancer.</summary>
    /// <returns>What it has printed, errors too.</returns>
    public Task<string> CommandAsync(params string[] args) => CommandAsync(Balancer, args);

    /// <summary>Runs a command of the program at one of the balancers.</summary>
    public static async Task<string> CommandAsync(FrontBalancer balancer, params string[] args)
    {
        await using DaemonProcess command = DaemonProcess.Start(new Dictionary<string, string>(), balancer.Host.Enter, static _ => false, args);
        int code = await command.ExitAsync();
        string said = string.Join('\n', command.Output.Concat(command.Errors));
        Assert.That(code, Is.Zero, () => $"{string.Join(' ', args)}: {said}\n{string.Join('\n', balancer.Daemon.Output)}");
        return said;
    }

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    private async Task AddClientAsync()
    {
        Client = await _network.AddHostAsync("client", "10.0.0.100/24");
        string first = _setting.Balancers == 1 ? "10.0.0.1" : Router;
        await Client.ShellAsync($"ip route add {Service.Address}/32 via {first}; echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range");
        if (_setting.Balancers > 1)
        {
            // Client and balancers are on one segment, of which the router would tell the client.
            _router = await _network.AddHostAsync("router", $"{Router}/24");
            await _router.ShellAsync("""
                echo 1 > /proc/sys/net/ipv4/ip_forward
                echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects
                echo 0 > /proc/sys/net/ipv4/conf/eth0/send_redirects
                echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy
                """);
            await RouteAsync([.. Enumerable.Range(1, _setting.Balancers)]);
        }
    }

    private async Task AddBalancerAsync(int number)
    {
        // What the driver of a card has by itself: the balancer's port of the switch polls, and packets that come from it have their checksums.
        string name = $"lb{number}";
        VirtualHost host = await _network.AddHostAsync(name, $"10.0.0.{number}/24");
        await _network.ShellOfSwitchAsync($"ethtool -K {name} tx off gro on >/dev/null");
        await host.ShellAsync("mount -t bpf bpf /sys/fs/bpf");
        FrontBalancer balancer = _network.Own(new FrontBalancer(host, $"10.0.0.{number}", _file));
        lock (Balancers)
        {
            Balancers.Add(balancer);
        }
    }

    private async Task AddBackendAsync(int number)
    {
        VirtualHost host = await _network.AddHostAsync($"b{number}", $"10.0.0.{20 + number}/24");
        _backends[number] = _network.Own(await PacketBackend.StartAsync(host, number));
        if (_setting.Forward == "ipip")
        {
            await TakeHeadersOffAsync(host, number);
        }
    }

    // One by the command; for the others it would only cost the start of a process each.
    private async Task TakeHeadersOffAsync(VirtualHost host, int number)
    {
        string neighbours = string.Join('\n', Enumerable.Range(1, Backends).Where(n => n != number).Select(n =>
            $"ip neigh replace 10.0.0.{20 + n} lladdr {PacketBackend.MacOf(n)} dev eth0 nud permanent"));
        await host.ShellAsync($"echo 1 > /proc/sys/net/ipv4/conf/eth0/forwarding\n{neighbours}");
        if (number > 1)
        {
            _network.Own(await PacketTunnelEnd.AttachAsync(host, _setting.SecondChance));
            return;
        }

        string[] chance = _setting.SecondChance ? ["--second-chance"] : [];
        DaemonProcess command = _network.Own(DaemonProcess.Start(
            new Dictionary<string, string>(), host.Enter, static _ => false,
            ["decapsulate", "--interface", "eth0", "--address", $"{Service.Address}", .. chance]));
        await command.LineWithAsync("outer headers are taken off");
    }
}
