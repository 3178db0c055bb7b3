using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Bench.Packets;

/// <summary>
/// A client, balancers and backends, each a host of its own on one switch. Every balancer has a host to itself, so that what one attaches to its interface
/// costs no other one anything. Packets out of tunnels go to backends of their own for the same reason.
/// </summary>
internal sealed class PacketField : IDisposable
{
    /// <summary>The name of the way without a balancer.</summary>
    public const string Straight = "no balancer";

    public const string OnSegment = "packet l2";
    public const string InTunnel = "packet ipip";
    public const string InDriver = ", XDP in the driver";
    public const string Nowhere = "192.0.2.99";
    public const ushort Port = 7000;

    private const int BackendsEach = 4;
    private const int FirstBackend = 11;
    private const int FirstTunnelled = 21;

    /// <summary>Room for the outer header on the way through tunnels.</summary>
    private const int TunnelMtu = 1520;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly NetworkSwitch _network;
    private readonly List<Contestant> _contestants = [];
    private readonly List<Process> _decapsulators = [];
    private readonly List<(string Name, Func<PeerRole, Endpoint> Address)> _ways = [];
    private readonly List<PacketPlane> _planes = [];
    private readonly List<string> _remarks = [];
    private readonly PeerProcess _peers;
    private int _turn;

    private PacketField(NetworkSwitch network, Processors processors)
    {
        _network = network;
        Client = network.Add("client", 99);
        Client.Shell("ip addr add 198.18.2.99/32 dev eth0; echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce");
        Backends = [.. Enumerable.Range(FirstBackend, BackendsEach).Select(i => network.Add($"b{i}", i))];
        Tunnelled = [.. Enumerable.Range(FirstTunnelled, BackendsEach).Select(i => network.Add($"b{i}", i, TunnelMtu))];
        foreach (NetworkHost host in Backends.Concat(Tunnelled))
        {
            host.Shell("""
                echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
                echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
                ip route add 198.19.0.0/16 via 198.18.0.99
                """);
        }

        _peers = PeerProcess.Start(Port, processors, [.. Backends.Concat(Tunnelled).Select(h => h.Holder)]);
        Time = new MachineTime(() => _contestants.Select(static c => c.ProcessId).Concat(_decapsulators.Select(static d => d.Id)).Append(_peers.ProcessId));
        _ways.Add((Straight, role => new Endpoint(Backends[_turn++ % BackendsEach].Address, (ushort)(Port + (int)role))));
    }

    public NetworkHost Client { get; }

    public IReadOnlyList<NetworkHost> Backends { get; }

    public IReadOnlyList<NetworkHost> Tunnelled { get; }

    public MachineTime Time { get; }

    /// <summary>The host of the packet listener with <c>forward = "l2"</c>.</summary>
    public NetworkHost? SegmentBalancer { get; private set; }

    /// <summary>What somebody who reads the figures has to know.</summary>
    public IReadOnlyList<string> Remarks => _remarks;

    public IEnumerable<string> Names => _ways.Select(static w => w.Name);

    /// <exception cref="InvalidOperationException">The hosts or the backends do not start.</exception>
    public static PacketField Start(NetworkSwitch network, RunOptions options, Processors processors, Dictionary<string, string?> versions)
    {
        var field = new PacketField(network, processors);
        try
        {
            field.AddAll(options, processors, versions);
        }
        catch (InvalidOperationException)
        {
            field.Dispose();
            throw;
        }

        return field;
    }

    /// <summary>For a thread in the network of the client.</summary>
    public Target Towards(string name) => new(_ways.First(w => w.Name == name).Address, Time.Nanoseconds, _peers);

    public void Dispose()
    {
        _planes.ForEach(static p => p.Dispose());
        _contestants.ForEach(static c => c.Dispose());
        foreach (Process process in _decapsulators)
        {
            process.Kill();
            process.Dispose();
        }

        _peers.Dispose();
    }

    private void AddAll(RunOptions options, Processors processors, Dictionary<string, string?> versions)
    {
        (ContestantKind Kind, string? Virtual, bool IsTunnelled)[] kinds =
        [
            (new PacketKind(OnSegment, "l2", options.Daemon, Nowhere), "192.0.2.10", false),
            (new PacketKind(InTunnel, "ipip", options.Daemon), "192.0.2.12", true),
            (new DaemonKind("epoll", options.Daemon, keeper: true), null, false),
            (new HaproxyKind(splice: false), null, false),
            (new HaproxyKind(splice: true), null, false),
            (new NginxKind(), null, false),
            (new NftKind(), "192.0.2.13", false),
        ];
        int number = 1;
        foreach ((ContestantKind kind, string? address, bool isTunnelled) in kinds)
        {
            versions[kind.Name] = kind.Version;
            if (kind.Version is null)
            {
                _remarks.Add($"{kind.Name} is left out: not installed");
                continue;
            }

            try
            {
                Add(kind, number++, address, isTunnelled, processors);
            }
            catch (InvalidOperationException e)
            {
                _remarks.Add($"{kind.Name} is left out: {e.Message}");
            }
        }

        AddNative(OnSegment + InDriver, number++, PacketForward.SameSegment, "192.0.2.14");
        AddNative(InTunnel + InDriver, number, PacketForward.Encapsulated, "192.0.2.15");
    }

    private void AddNative(string name, int number, PacketForward forward, string virtualAddress)
    {
        bool isTunnelled = forward == PacketForward.Encapsulated;
        NetworkHost host = _network.Add($"lb{number}", number, isTunnelled ? TunnelMtu : 1500);
        IReadOnlyList<NetworkHost> backends = isTunnelled ? Tunnelled : Backends;
        Client.Shell($"ip route add {virtualAddress}/32 via {host.Address}");
        foreach (NetworkHost backend in backends)
        {
            backend.Shell($"ip addr add {virtualAddress}/32 dev lo");
        }

        var wiring = new Wiring(Port, Port, Duty.Relay) { Address = HostAddress.From(IPAddress.Parse(virtualAddress)), Hosts = [.. backends.Select(static b => b.Address)] };
        try
        {
            NativePlane.LetPoll(host.Name);
            _planes.Add(NativePlane.Start(host, wiring, forward));
            long start = Stopwatch.GetTimestamp();
            while (!Answers(wiring))
            {
                if (Stopwatch.GetElapsedTime(start) > Patience)
                {
                    throw new InvalidOperationException("it does not answer");
                }
            }

            _ways.Add((name, wiring.Listen));
        }
        catch (Exception e) when (e is PacketFaultException or InvalidOperationException)
        {
            _remarks.Add($"{name} is left out: {e.Message}");
        }
    }

    private void Add(ContestantKind kind, int number, string? virtualAddress, bool isTunnelled, Processors processors)
    {
        NetworkHost host = _network.Add($"lb{number}", number, isTunnelled ? TunnelMtu : 1500);
        IReadOnlyList<NetworkHost> backends = isTunnelled ? Tunnelled : Backends;
        if (virtualAddress is not null)
        {
            bool isNft = kind is NftKind;
            Client.Shell($"ip route add {virtualAddress}/32 via {host.Address}{(isNft ? " src 198.18.2.99" : "")}");
            foreach (NetworkHost backend in backends)
            {
                backend.Shell(isNft ? $"ip route add 198.18.2.99/32 via {host.Address}" : $"ip addr add {virtualAddress}/32 dev lo");
                if (isTunnelled)
                {
                    Decapsulate((PacketKind)kind, backend, processors);
                }
            }

            host.Shell("ip route add 198.18.2.99/32 via 198.18.0.99");
        }

        if (kind.Name == OnSegment)
        {
            SegmentBalancer = host;
            Client.Shell($"ip route add {Nowhere}/32 via {host.Address}");
        }

        HostAddress address = virtualAddress is null ? host.Address : HostAddress.From(IPAddress.Parse(virtualAddress));
        var wiring = new Wiring(Port, Port, Duty.Relay) { Address = address, Hosts = [.. backends.Select(static b => b.Address)] };
        _contestants.Add(Contestant.Start(kind, wiring, processors, host.Enter, () => Answers(wiring)));
        _ways.Add((kind.Name, wiring.Listen));
        if (kind is PacketKind)
        {
            _remarks.Add($"{kind.Name}: {Attached(host)}{(isTunnelled ? $"; decapsulate on the backends: {Attached(backends[0])}" : "")}");
        }
    }

    private void Decapsulate(PacketKind kind, NetworkHost backend, Processors processors) =>
        _decapsulators.Add(Pinned.Start([.. backend.Enter, kind.Program, "decapsulate", "--interface", "eth0"], processors.Server, "/dev/null"));

    private static string Attached(NetworkHost host) =>
        host.Shell("ip -d link show dev eth0").Contains("xdpgeneric", StringComparison.Ordinal) ? "generic XDP (before the network stack)" : "XDP in the driver";

    // A connection, and a byte that comes back on it.
    private bool Answers(Wiring wiring)
    {
        bool answers = true;
        foreach (PeerRole role in Wiring.Roles.Where(_ => answers))
        {
            Endpoint at = wiring.Listen(role);
            NetworkHost.In(Client.Holder, () => answers = AnswersAt(at, role == PeerRole.Echo));
        }

        return answers;
    }

    private static bool AnswersAt(Endpoint at, bool echoes)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (!socket.ConnectAsync(new IPEndPoint(at.Address.ToIPAddress(), at.Port)).Wait(500))
            {
                return false;
            }

            socket.ReceiveTimeout = 500;
            return !echoes || (socket.Send([1]) == 1 && socket.Receive(new byte[1]) == 1);
        }
        catch (Exception e) when (e is SocketException or AggregateException)
        {
            return false;
        }
    }
}
