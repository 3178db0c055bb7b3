using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>
/// A client, a balancer and backends on a switch, each in a network namespace: connections to the virtual address go to the backends in tunnels, which
/// these take off, and the answers go to the client directly. The segments of the client are too large for the tunnel at first.
/// </summary>
[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class TunnelNamespaceTests
{
    private const int Backends = 3;
    private const int FirstNumber = 20;
    private const int Pool = 1;
    private const int Port = 443;
    private const int Sent = 20_000;

    private static readonly IPAddress Virtual4 = IPAddress.Parse("192.0.2.10");
    private static readonly IPAddress Virtual6 = IPAddress.Parse("2001:db8:10::10");
    private static readonly bool[] Families = [false, true];
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly List<IDisposable> _owned = [];
    private readonly List<(NamespaceHost Host, Decapsulator Decapsulator)> _backends = [];
    private NamespaceHost _client = null!;
    private NamespaceHost _balancer = null!;
    private PacketMaps _maps = null!;
    private FlatTable? _published;
    private int _link = -1;

    [TearDown]
    public void Stop()
    {
        if (_link >= 0)
        {
            TcpSocket.Close(_link);
            _link = -1;
        }

        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        _owned.Clear();
        _backends.Clear();
        _published = null;
        _maps?.Dispose();
        _maps = null!;
        _balancer?.Dispose();
        _balancer = null!;
        _client?.Dispose();
        _client = null!;
    }

    [TestCase(true, false, true)]
    [TestCase(false, true, false)]
    public async Task Connections_go_through_tunnels_to_their_backends(bool isXdp, bool isOuterSix, bool kernelKnowsTheWay)
    {
        Start(isXdp, isOuterSix, kernelKnowsTheWay, secondChance: false);
        Publish(_ => true);
        int[] served = new int[Backends];
        foreach (IPAddress address in new[] { Virtual4, Virtual6 })
        {
            for (int i = 0; i < 60; i++)
            {
                using Socket connection = Connect(address);
                served[await EchoAsync(connection, i)]++;
            }
        }

        Assert.That(served, Has.All.Positive);
        Assert.That(served.Sum(), Is.EqualTo(120));
        Assert.That(
            () => Stripped() == Enumerable.Range(0, Backends).Sum(i => _maps.CountOf(FirstNumber + i).Packets), Is.True.After(10_000, 20));
        Assert.That(_maps.DropsOf(PacketDrop.TooBig), Is.Positive, "the client has learned what fits");
        TestContext.Out.WriteLine($"connections by backend: {string.Join(", ", served)}; too big: {_maps.DropsOf(PacketDrop.TooBig)}");
    }

    [Test]
    public async Task Connection_whose_owner_has_changed_reaches_it_by_the_second_chance([Values] bool isOuterSix)
    {
        Start(isXdp: true, isOuterSix, kernelKnowsTheWay: true, secondChance: true);
        Publish(i => i != 2);
        List<(Socket Socket, int Backend)> connections = [];
        for (int i = 0; i < 60; i++)
        {
            Socket connection = Connect(i % 2 == 0 ? Virtual4 : Virtual6);
            _owned.Add(connection);
            connections.Add((connection, await EchoAsync(connection, i)));
        }

        Publish(_ => true);
        foreach ((Socket connection, int backend) in connections)
        {
            Assert.That(await EchoAsync(connection, backend, isNew: false), Is.EqualTo(backend));
        }

        Assert.That(_backends[2].Decapsulator.Read().SentOn, Is.Positive);
        Assert.That(_backends[0].Decapsulator.Read().SentOn + _backends[1].Decapsulator.Read().SentOn, Is.Zero);
    }

    [Test]
    public async Task Plane_sends_packets_in_tunnels_by_what_it_finds_of_the_way()
    {
        StartHosts(kernelKnowsTheWay: false, secondChance: false);
        string folder = Directory.CreateTempSubdirectory("l4balancer-bpf-").FullName;
        _balancer.Shell($"mount -t bpf bpf {folder}");
        try
        {
            var options = new PacketPlaneOptions { Folder = folder + "/plane", Loggers = NullLoggerFactory.Instance, Modes = [AttachMode.Generic] };
            RingMember[] members = [.. Enumerable.Range(0, Backends).Select(i => new RingMember(i, $"10.0.0.{21 + i}:443", 100))];
            var listener = new PacketListener
            {
                Name = "tunnels",
                Interface = "eth0",
                Binds = [new Endpoint(HostAddress.From(Virtual4), Port), new Endpoint(HostAddress.From(Virtual6), Port)],
                Forward = PacketForward.Encapsulated,
                Flows = 1000,
                Choice = new PacketChoice(
                    FlatTable.Build(members, _ => true),
                    [.. Enumerable.Range(21, Backends).Select(i => new PacketTarget($"b{i}", HostAddress.From(IPAddress.Parse(Address(i, false)))))]),
            };
            using PacketPlane plane = _balancer.Run(() => PacketPlane.Start(options, [listener]));
            for (int i = 0; i < 30; i++)
            {
                using Socket connection = Connect(i % 2 == 0 ? Virtual4 : Virtual6);
                await EchoAsync(connection, i);
            }

            Assert.That(Stripped(), Is.Positive);
            Assert.That(() => Stripped() == plane.Read().Backends.Sum(b => b.Packets), Is.True.After(10_000, 20));
            _balancer.Run(() =>
            {
                plane.Stop();
                return true;
            });
        }
        finally
        {
            _balancer.Shell($"umount {folder}; rmdir {folder}");
        }
    }

    private long Stripped() => _backends.Sum(b => b.Decapsulator.Read().Stripped);

    private static string Address(int host, bool isSix) => isSix ? $"2001:db8:1::{host}" : $"10.0.0.{host}";

    private void Start(bool isXdp, bool isOuterSix, bool kernelKnowsTheWay, bool secondChance)
    {
        string[] macs = StartHosts(kernelKnowsTheWay, secondChance);
        LoadBalancer(isXdp, isOuterSix, kernelKnowsTheWay ? null : macs, secondChance);
    }

    // The MAC addresses of the backends.
    private string[] StartHosts(bool kernelKnowsTheWay, bool secondChance)
    {
        NamespaceHost bridge = Own(NamespaceHost.Start("switch"));
        bridge.Shell("ip link add br0 type bridge mcast_snooping 0; ip link set br0 up");
        _client = Plug(bridge, "client", 2);
        _balancer = Plug(bridge, "balancer", 1);
        _client.Shell($"ip route add {Virtual4} via {Address(1, false)}; ip -6 route add {Virtual6} via {Address(1, true)}; "
            + "ip link set eth0 gso_max_segs 1; sysctl -qw net.ipv4.tcp_mtu_probing=0");
        var hosts = new List<NamespaceHost>();
        for (int i = 0; i < Backends; i++)
        {
            NamespaceHost host = Own(Plug(bridge, $"backend{i}", 21 + i));
            hosts.Add(host);
            host.Shell($"ip addr add {Virtual4}/32 dev lo; ip addr add {Virtual6}/128 dev lo nodad; sysctl -qw net.ipv4.conf.all.rp_filter=0 "
                + "net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.eth0.forwarding=1 net.ipv6.conf.eth0.forwarding=1");
        }

        string[] macs = [.. hosts.Select(h => MacOf(h))];
        string neighbours = string.Concat(Enumerable.Range(0, Backends).SelectMany(i => Families.Select(isSix =>
            $"ip neigh replace {Address(21 + i, isSix)} lladdr {macs[i]} dev eth0 nud permanent; ")));
        for (int i = 0; i < Backends; i++)
        {
            NamespaceHost host = hosts[i];
            host.Shell(secondChance ? neighbours : "true");
            Decapsulator decapsulator = host.Run(() =>
                Decapsulator.Attach("eth0", secondChance, [HostAddress.From(Virtual4), HostAddress.From(Virtual6)]));
            _owned.Add(decapsulator);
            _backends.Add((host, decapsulator));
            Serve(host, i, Virtual4);
            Serve(host, i, Virtual6);
        }

        string forwarding = kernelKnowsTheWay ? "1" : "0";
        _balancer.Shell($"sysctl -qw net.ipv4.conf.eth0.forwarding={forwarding} net.ipv6.conf.eth0.forwarding={forwarding}; "
            + (kernelKnowsTheWay ? neighbours : "true"));
        return macs;
    }

    private void LoadBalancer(bool isXdp, bool isOuterSix, string[]? macs, bool secondChance)
    {
        PacketMaps? maps = PacketMaps.TryCreate(
            new PacketLimits(16, 4, 64, 1024, new ChoiceTable(65537, 64)) { SecondChance = secondChance }, out Errno fault);
        Assert.That(fault, Is.EqualTo(Errno.None));
        _maps = maps!;
        ulong own = Mac(MacOf(_balancer));
        for (int i = 0; i < Backends; i++)
        {
            HostAddress address = HostAddress.From(IPAddress.Parse(Address(21 + i, isOuterSix)));
            PacketTunnel? tunnel = _balancer.Run(() => PacketTunnel.Towards(address));
            Assert.That(tunnel, Is.EqualTo(new PacketTunnel(HostAddress.From(IPAddress.Parse(Address(1, isOuterSix))), address, 1500)));
            var backend = macs is null ? new PacketBackend(false, 0, 0, tunnel) : new PacketBackend(true, Mac(macs[i]), own, tunnel);
            Assert.That(_maps.SetBackend(FirstNumber + i, backend), Is.EqualTo(Errno.None));
        }

        foreach (IPAddress address in new[] { Virtual4, Virtual6 })
        {
            ServiceFlags flags = secondChance ? ServiceFlags.SecondChance : ServiceFlags.None;
            Assert.That(_maps.SetService(new Endpoint(HostAddress.From(address), Port), Pool, flags), Is.EqualTo(Errno.None));
        }

        PacketHook hook = isXdp ? PacketHook.Xdp : PacketHook.Tc;
        SysResult program = Bpf.Load(hook.ProgramType, PacketProgram.Assemble(_maps, hook), out string log);
        Assert.That(program.IsError, Is.False, () => program + log[Math.Max(0, log.Length - 3000)..]);
        int index = int.Parse(_balancer.Shell("ip -o link show eth0 | cut -d: -f1"), CultureInfo.InvariantCulture);
        SysResult link = _balancer.Run(() => isXdp
            ? Bpf.Attach(program.Value, index, Libc.BPF_XDP, Libc.XDP_FLAGS_SKB_MODE) : Bpf.Attach(program.Value, index, Libc.BPF_TCX_INGRESS, 0));
        TcpSocket.Close(program.Value);
        if (!isXdp && link.Errno == Errno.EINVAL)
        {
            Assert.Ignore("this kernel has no BPF links for tc (Linux 6.6)");
        }

        Assert.That(link.IsError, Is.False, link.ToString());
        _link = link.Value;
    }

    private void Publish(Func<int, bool> takes)
    {
        RingMember[] members = [.. Enumerable.Range(0, Backends).Select(i => new RingMember(i, $"10.0.0.{21 + i}:443", 100))];
        if (_published is not null && _maps.Limits.SecondChance)
        {
            Assert.That(_maps.SetPrevious(Pool, Write(_published)), Is.EqualTo(Errno.None));
        }

        _published = FlatTable.Build(members, takes);
        Assert.That(_maps.SetTable(Pool, Write(_published)), Is.EqualTo(Errno.None));

        byte[] Write(FlatTable table) =>
            _maps.Limits.Table.Write(table.Owners, [.. table.Available], [.. Enumerable.Range(FirstNumber, Backends)]);
    }

    private static NamespaceHost Plug(NamespaceHost bridge, string name, int host)
    {
        NamespaceHost added = NamespaceHost.Start(name);
        added.Plug(bridge);
        added.Shell($"ip addr add {Address(host, false)}/24 dev eth0; ip addr add {Address(host, true)}/64 dev eth0 nodad; ip link set eth0 up");
        return added;
    }

    // Writes its number, then what it reads.
    private void Serve(NamespaceHost host, int number, IPAddress address)
    {
        Socket listener = host.Run(() =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, Port));
            socket.Listen(100);
            return socket;
        });
        _owned.Add(listener);
        _ = AcceptAsync(listener, (byte)number);
    }

    private static async Task AcceptAsync(Socket listener, byte number)
    {
        try
        {
            while (true)
            {
                _ = EchoBackAsync(await listener.AcceptAsync(), number);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test has ended.
        }
    }

    private static async Task EchoBackAsync(Socket connection, byte number)
    {
        using (connection)
        {
            try
            {
                await connection.SendAsync(new[] { number });
                byte[] buffer = new byte[4096];
                int read;
                while ((read = await connection.ReceiveAsync(buffer)) > 0)
                {
                    await connection.SendAsync(buffer.AsMemory(0, read));
                }
            }
            catch (SocketException)
            {
                // The test sees it at the other end.
            }
        }
    }

    private Socket Connect(IPAddress address) => _client.Run(() =>
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.ConnectAsync(new IPEndPoint(address, Port)).WaitAsync(Deadline).GetAwaiter().GetResult();
        return socket;
    });

    // The number of the backend, after all bytes have come back.
    private static async Task<int> EchoAsync(Socket connection, int seed, bool isNew = true)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        byte[] number = [(byte)seed];
        if (isNew)
        {
            Assert.That(await connection.ReceiveAsync(number, deadline.Token), Is.EqualTo(1));
        }

        byte[] sent = new byte[Sent], received = new byte[Sent];
        new Random(seed).NextBytes(sent);
        await connection.SendAsync(sent, deadline.Token);
        for (int length = 0; length < Sent;)
        {
            int read = await connection.ReceiveAsync(received.AsMemory(length), deadline.Token);
            Assert.That(read, Is.Positive, "the connection has ended");
            length += read;
        }

        Assert.That(received.AsSpan().SequenceEqual(sent));
        return number[0];
    }

    private T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    private static string MacOf(NamespaceHost host) => host.Shell("ip -br link show eth0 | awk '{ print $3 }'").Trim();

    private static ulong Mac(string text) => ulong.Parse(text.Replace(":", "", StringComparison.Ordinal), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
