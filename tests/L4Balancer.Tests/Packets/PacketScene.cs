using System.Globalization;
using System.Net;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Packets;

/// <summary>A client, a balancer with a packet listener, and backends, each a host of its own on one switch. The balancer has no other listener.</summary>
internal sealed class PacketScene : IAsyncDisposable
{
    /// <summary>One of them is not in the configuration at first.</summary>
    public const int Backends = 9;

    public static readonly IPEndPoint Service = IPEndPoint.Parse("192.0.2.10:443");

    private readonly VirtualNetwork _network;
    private readonly PacketBackend[] _backends = new PacketBackend[Backends + 1];
    private readonly string _file;

    private PacketScene(VirtualNetwork network, VirtualHost client, string file)
    {
        _network = network;
        Client = client;
        _file = file;
    }

    public VirtualHost Client { get; }

    public FrontBalancer Balancer { get; private set; } = null!;

    public static async Task<PacketScene> StartAsync()
    {
        // What the driver of a card has by itself: the balancer's port of the switch polls, and packets that come from it have their checksums.
        VirtualNetwork network = await VirtualNetwork.StartAsync(["ethtool"], "mount -t bpf bpf /mnt; umount /mnt");
        VirtualHost balancer = await network.AddHostAsync("lb", "10.0.0.1/24");
        await network.ShellOfSwitchAsync("ethtool -K lb tx off gro on >/dev/null");
        await balancer.ShellAsync("mount -t bpf bpf /sys/fs/bpf");
        VirtualHost client = await network.AddHostAsync("client", "10.0.0.100/24");
        await client.ShellAsync("ip route add 192.0.2.10/32 via 10.0.0.1; echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range");
        var scene = new PacketScene(network, client, DaemonProcess.ConfigFileWith(""));
        await Task.WhenAll(Enumerable.Range(1, Backends).Select(async number =>
        {
            VirtualHost host = await network.AddHostAsync($"b{number}", $"10.0.0.{20 + number}/24");
            scene._backends[number] = network.Own(await PacketBackend.StartAsync(host, number));
        }));
        scene.Write(8);
        if (ConfigReader.Read(File.ReadAllBytes(scene._file)).Config is null)
        {
            Assert.Ignore("packet listeners are not supported yet");
        }

        scene.Balancer = network.Own(new FrontBalancer(balancer, "10.0.0.1", scene._file));
        await scene.Balancer.StartAsync();
        return scene;
    }

    /// <summary>Writes the configuration.</summary>
    /// <param name="backends">The first of them are in it.</param>
    public void Write(int backends, int flows = 100_000, Func<int, int>? weight = null)
    {
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"""
            [balancer]
            shutdown_grace = "1s"
            [[listeners]]
            name = "wss"
            mode = "packet"
            interface = "eth0"
            bind = ["192.0.2.10:443"]
            flows = {flows}
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
            text.Append(CultureInfo.InvariantCulture, $"[[pools.backends]]\nname = \"ws{i}\"\naddress = \"10.0.0.{20 + i}:443\"\nweight = {weight?.Invoke(i) ?? 100}\n");
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

    /// <summary>How many of them still get their bytes.</summary>
    public static async Task<int> LivingAsync(IEnumerable<PacketClient> clients) =>
        (await Task.WhenAll(clients.Select(static c => c.LivesAsync()))).Count(static l => l);

    /// <summary>Ends a backend, and waits until no new flow goes there.</summary>
    public async Task KillBackendAsync(int number)
    {
        await _backends[number].DisposeAsync();
        await Balancer.Daemon.LineWithAsync($"chat/ws{number} (10.0.0.{20 + number}:443) is down");
    }

    /// <summary>Runs a command of the program at the balancer.</summary>
    /// <returns>What it has printed, errors too.</returns>
    public async Task<string> CommandAsync(params string[] args)
    {
        await using DaemonProcess command = DaemonProcess.Start(new Dictionary<string, string>(), Balancer.Host.Enter, static _ => false, args);
        int code = await command.ExitAsync();
        string said = string.Join('\n', command.Output.Concat(command.Errors));
        Assert.That(code, Is.Zero, () => $"{string.Join(' ', args)}: {said}\n{string.Join('\n', Balancer.Daemon.Output)}");
        return said;
    }

    public ValueTask DisposeAsync() => _network.DisposeAsync();
}
