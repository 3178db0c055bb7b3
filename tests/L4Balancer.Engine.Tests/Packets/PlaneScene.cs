using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>
/// A switch with the client on it, a balancer, and eight backends that all have the virtual address on lo: each in a network namespace of its own
/// (network_namespaces(7)), in which threads of this process open their sockets. A backend sends its number to who connects, and then what it receives.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed partial class PlaneScene : IDisposable
{
    public const int Backends = 8;
    public const string BalancerInterface = "eth0";

    private const int NewNet = 0x40000000; // CLONE_NEWNET

    // The holders of the namespaces end when the shell does, as their standard input then ends.
    private const string SetUp = """
        set -e
        mount -t bpf bpf /mnt
        ip link set lo up
        # An address of its own: else it is that of a port, and changes with the ports.
        ip link add br0 address 02:00:00:00:88:00 type bridge
        ip addr add 10.88.0.1/24 dev br0
        ip addr add fd88::1/64 dev br0 nodad
        ip link set br0 up
        add() {
            unshare -n cat <&3 >/dev/null & pid=$!
            until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
            ip link add $1 type veth peer name eth0 netns $pid
            ip link set $1 master br0 up
            nsenter -t $pid -n sh -ec "
                ip link set lo up
                ip addr add $2/24 dev eth0
                ip addr add $3/64 dev eth0 nodad
                ip link set eth0 up"
        }
        exec 3<&0
        add lb 10.88.0.2 fd88::2
        # Else a change of a MAC address within a second of the one before is not believed (arp(7), locktime).
        nsenter -t $pid -n sh -c 'echo 0 > /proc/sys/net/ipv4/neigh/eth0/locktime'
        echo $pid
        for i in 0 1 2 3 4 5 6 7; do
            add b$i 10.88.0.1$i fd88::1$i
            nsenter -t $pid -n sh -ec '
                ip addr add 10.88.99.99/32 dev lo
                ip addr add fd88:99::99/128 dev lo nodad
                echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify
                echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
                echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
                echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter'
            echo $pid
        done
        ip route add 10.88.99.99/32 via 10.88.0.2
        ip route add fd88:99::99/128 via fd88::2
        echo ready
        read line <&3 || true
        """;

    private readonly Process _shell;
    private readonly List<Socket> _listening = [];
    private readonly List<Socket> _clients = [];
    private readonly int[] _processes;
    private bool _isLikeACard;

    private PlaneScene(Process shell, int[] processes)
    {
        _shell = shell;
        _processes = processes;
        Folder = $"/proc/{shell.Id}/root/mnt/l4balancer";
        for (int i = 0; i < Backends; i++)
        {
            Serve(i, new IPEndPoint(IPAddress.Parse("10.88.99.99"), 443));
            Serve(i, new IPEndPoint(IPAddress.Parse("fd88:99::99"), 443));
        }
    }

    /// <summary>The virtual addresses.</summary>
    public static ImmutableArray<Endpoint> Virtual { get; } = [Packets.At("10.88.99.99:443"), Packets.At("[fd88:99::99]:443")];

    /// <summary>What planes have logged.</summary>
    public LogLines Log { get; } = new();

    /// <summary>On a file system of the type bpf.</summary>
    public string Folder { get; }

    public int BalancerProcess => _processes[0];

    /// <summary>Skips the test where no such namespaces can be made.</summary>
    public static PlaneScene Start()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("hosts in namespaces, and programs in the kernel, need root");
        }

        var start = new ProcessStartInfo("unshare", ["-nm", "sh", "-c", SetUp])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process shell = Process.Start(start)!;
        List<int> processes = [];
        while (shell.StandardOutput.ReadLine() is { } line && line != "ready")
        {
            processes.Add(int.Parse(line));
        }

        if (processes.Count != Backends + 1)
        {
            shell.StandardInput.Close();
            Assert.Ignore($"no such hosts in namespaces can be made here: {shell.StandardError.ReadToEnd().Trim()}");
        }

        return new PlaneScene(shell, [.. processes]);
    }

    public static PacketPlaneOptions Options(string folder, AttachMode mode, ILoggerFactory? loggers = null) => new()
    {
        Folder = folder,
        Loggers = loggers ?? NullLoggerFactory.Instance,
        Modes = [mode],
        NeighbourInterval = TimeSpan.FromSeconds(1),
        FlowCountAge = TimeSpan.Zero,
    };

    /// <param name="takes">Which backends take new flows; null: all.</param>
    public static PacketListener Listener(Func<int, bool>? takes = null, int flows = 20_000, int backends = Backends) => new()
    {
        Name = "packets",
        Interface = BalancerInterface,
        Binds = Virtual,
        Flows = flows,
        Choice = Choice(takes, backends),
    };

    public static PacketChoice Choice(Func<int, bool>? takes = null, int backends = Backends) => new(
        FlatTable.Build([.. Enumerable.Range(0, backends).Select(i => new RingMember(i, $"10.88.0.1{i}:443", 100))], takes ?? (_ => true)),
        [.. Enumerable.Range(0, backends).Select(i => new PacketTarget($"10.88.0.1{i}:443", Packets.At($"10.88.0.1{i}:443").Address))]);

    /// <summary>Runs on a thread in the namespace of a process.</summary>
    public static T In<T>(int process, Func<T> body)
    {
        T result = default!;
        Exception? fault = null;
        var thread = new Thread(() =>
        {
            try
            {
                using Microsoft.Win32.SafeHandles.SafeFileHandle space = File.OpenHandle($"/proc/{process}/ns/net");
                if (setns((int)space.DangerousGetHandle(), NewNet) != 0)
                {
                    throw new InvalidOperationException($"setns: {Marshal.GetLastSystemError()}");
                }

                result = body();
            }
            catch (Exception e)
            {
                fault = e;
            }
        });
        thread.Start();
        thread.Join();
        return fault is null ? result : throw new InvalidOperationException(fault.Message, fault);
    }

    /// <summary>Runs in the namespace of the balancer.</summary>
    public T AtBalancer<T>(Func<T> body) => In(BalancerProcess, body);

    public PacketPlane StartPlane(AttachMode mode, params ImmutableArray<PacketListener> listeners) =>
        AtBalancer(() => PacketPlane.Start(Options(Folder, mode, Log), listeners));

    /// <summary>What the kernel says of the interface of the balancer.</summary>
    public InterfaceFacts ReadInterface() => AtBalancer(() =>
    {
        using NetlinkSocket netlink = NetlinkSocket.TryOpen(0, out _)!;
        Assert.That(InterfaceFacts.Read(netlink, BalancerInterface, out InterfaceFacts facts), Is.EqualTo(Errno.None));
        return facts;
    });

    /// <summary>
    /// What a driver of a network card has by itself: the port of the switch polls, so that the balancer's driver can send back, and what comes from it has
    /// its checksum.
    /// </summary>
    public unsafe void MakePortLikeACard()
    {
        if (_isLikeACard)
        {
            return;
        }

        _isLikeACard = true;
        _ = In(_shell.Id, () =>
        {
            SysResult link = Bpf.Attach(LoadPassing(), IndexOf("lb"), Libc.BPF_XDP, Libc.XDP_FLAGS_DRV_MODE);
            Assert.That(link.IsError, Is.False, link.ToString());
            const int ethtool = 0x8946, setTransmitChecksum = 0x17;
            int* value = stackalloc int[2] { setTransmitChecksum, 0 };
            byte* request = stackalloc byte[40];
            new Span<byte>(request, 40).Clear();
            "lb"u8.CopyTo(new Span<byte>(request, 16));
            *(void**)(request + 16) = value;
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            Assert.That(Libc.ioctl((int)socket.Handle, ethtool, (int*)request), Is.Zero);
            return 0;
        });
    }

    /// <summary>Runs a shell command at a backend.</summary>
    public void ShellAtBackend(int backend, string command) => Shell(_processes[1 + backend], command);

    /// <summary>The balancer's interface goes.</summary>
    public void RemoveInterface() => Shell(_shell.Id, "ip link del lb");

    /// <summary>Another interface comes in the place of the balancer's, with the same name and addresses.</summary>
    public void AddInterface()
    {
        Shell(_shell.Id, $"ip link add lb type veth peer name eth0 netns {BalancerProcess}; ip link set lb master br0 up");
        Shell(BalancerProcess, "ip addr add 10.88.0.2/24 dev eth0; ip addr add fd88::2/64 dev eth0 nodad; ip link set eth0 up");

        // The client would find out by itself that the balancer has another MAC address, but only after up to a minute.
        Shell(_shell.Id, "ip neigh flush to 10.88.0.2 dev br0");
        _isLikeACard = false;
    }

    /// <summary>Another program is attached to the balancer's interface, in the place of ours.</summary>
    /// <returns>The descriptor of its link, which keeps it there.</returns>
    public int UsurpInterface() => AtBalancer(() =>
    {
        SysResult ours = Bpf.OpenPin(Directory.EnumerateFiles(Folder, "link", SearchOption.AllDirectories).Single());
        Assert.That(Bpf.Detach(ours.Value), Is.EqualTo(Errno.None));
        TcpSocket.Close(ours.Value);
        SysResult link = Bpf.Attach(LoadPassing(), IndexOf(BalancerInterface), Libc.BPF_XDP, Libc.XDP_FLAGS_SKB_MODE);
        Assert.That(link.IsError, Is.False, link.ToString());
        return link.Value;
    });

    /// <summary>Sockets of the client, not yet connected.</summary>
    public Socket[] OpenClients(int count, bool isSix = false)
    {
        Socket[] opened = In(_shell.Id, () => Enumerable.Range(0, count).Select(_ =>
            new Socket(isSix ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
            {
                NoDelay = true,
                LingerState = new LingerOption(true, 0),
            }).ToArray());
        _clients.AddRange(opened);
        return opened;
    }

    /// <summary>Connects, and reads the number of the backend.</summary>
    public static async Task<int> ConnectAsync(Socket client, CancellationToken stop)
    {
        Endpoint service = Virtual[client.AddressFamily == AddressFamily.InterNetwork ? 0 : 1];
        await client.ConnectAsync(new IPEndPoint(service.Address.ToIPAddress(), service.Port), stop);
        byte[] number = new byte[1];
        Assert.That(await client.ReceiveAsync(number, stop), Is.EqualTo(1));
        return number[0];
    }

    /// <summary>Sends bytes of its own and reads them again.</summary>
    public static async Task TalkAsync(Socket client, int bytes, CancellationToken stop)
    {
        byte[] sent = new byte[bytes];
        Random.Shared.NextBytes(sent);
        await client.SendAsync(sent, stop);
        byte[] received = new byte[bytes];
        for (int at = 0; at < bytes;)
        {
            int count = await client.ReceiveAsync(received.AsMemory(at), stop);
            Assert.That(count, Is.Positive, "the connection stays");
            at += count;
        }

        Assert.That(received.AsSpan().SequenceEqual(sent));
    }

    /// <summary>Resets the connections of the client.</summary>
    public void CloseClients()
    {
        _clients.ForEach(c => c.Dispose());
        _clients.Clear();
    }

    public void Dispose()
    {
        CloseClients();
        _listening.ForEach(l => l.Dispose());
        _shell.StandardInput.Close();
        if (!_shell.WaitForExit(10_000))
        {
            _shell.Kill(entireProcessTree: true);
        }

        _shell.Dispose();
    }

    // A program that leaves every packet to the kernel.
    private static int LoadPassing()
    {
        var code = new BpfAssembler();
        code.Move(Register.R0, PacketHook.Xdp.Passed);
        code.Exit();
        SysResult program = Bpf.Load(Libc.BPF_PROG_TYPE_XDP, code.ToProgram(), out _);
        Assert.That(program.IsError, Is.False, program.ToString());
        return program.Value;
    }

    private static int IndexOf(string name)
    {
        using NetlinkSocket netlink = NetlinkSocket.TryOpen(0, out _)!;
        Assert.That(InterfaceFacts.Read(netlink, name, out InterfaceFacts facts), Is.EqualTo(Errno.None));
        return facts.Index;
    }

    private static void Shell(int process, string command)
    {
        using Process shell = Process.Start("nsenter", ["-t", $"{process}", "-n", "sh", "-ec", command]);
        shell.WaitForExit();
        Assert.That(shell.ExitCode, Is.Zero, command);
    }

    [LibraryImport("libc")]
    private static partial int setns(int fd, int nstype);

    private void Serve(int backend, IPEndPoint address)
    {
        Socket listening = In(_processes[1 + backend], () =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(address);
            socket.Listen(4096);
            return socket;
        });
        _listening.Add(listening);
        _ = AcceptAsync(listening, (byte)backend);
    }

    private static async Task AcceptAsync(Socket listening, byte number)
    {
        try
        {
            while (true)
            {
                Socket client = await listening.AcceptAsync();
                client.NoDelay = true;
                _ = EchoAsync(client, number);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The scene has ended.
        }
    }

    private static async Task EchoAsync(Socket client, byte number)
    {
        using (client)
        {
            try
            {
                byte[] buffer = new byte[4096];
                buffer[0] = number;
                int length = 1;
                while (length > 0)
                {
                    await client.SendAsync(buffer.AsMemory(0, length));
                    length = await client.ReceiveAsync(buffer);
                }
            }
            catch (SocketException)
            {
                // The client has reset it.
            }
        }
    }
}
