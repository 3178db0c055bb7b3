using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>The backend's program, run by BPF_PROG_TEST_RUN on what the balancer's program makes of a packet.</summary>
[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class DecapsulationProgramTests
{
    private const byte Fin = 0x11;

    private static readonly byte[] Own4 = [198, 18, 0, 1];
    private static readonly byte[] Other4 = [198, 18, 0, 2];
    private static readonly byte[] Own6 = [.. IPAddress.Parse("2001:db8:5::1").GetAddressBytes()];
    private static readonly byte[] Other6 = [.. IPAddress.Parse("2001:db8:5::2").GetAddressBytes()];

    private readonly byte[] _result = new byte[4096];
    private DecapsulationMaps? _maps;
    private int _program = -1;

    [TearDown]
    public void Unload()
    {
        if (_program >= 0)
        {
            TcpSocket.Close(_program);
            _program = -1;
        }

        _maps?.Dispose();
        _maps = null;
    }

    [Test]
    public void Packet_is_as_it_was_before_the_tunnel([Values] bool isSix, [Values] bool isOuterSix, [Values(0, 1, 2)] int tags)
    {
        Load();
        var tunnel = isOuterSix
            ? new PacketTunnel(Packets.At("[2001:db8:5::99]:1").Address, Packets.At("[2001:db8:5::1]:1").Address, 1500)
            : new PacketTunnel(Packets.At("198.18.0.99:1").Address, Packets.At("198.18.0.1:1").Address, 1500);
        using var scene = new PacketScene(PacketHook.Xdp, 4, ServiceFlags.None, 64, secondChance: false, 1000, tunnel);
        var random = new Random(1);
        for (int i = 0; i < 100; i++)
        {
            byte[] packet = Packets.Tcp(
                PacketScene.Client(random, isSix), isSix ? PacketScene.Six : PacketScene.Four, PacketScene.Ack, tags, options: i % 3, payload: i);
            Assert.That(scene.Run(packet, out ReadOnlySpan<byte> tunnelled), Is.EqualTo(PacketProgram.SentBack));
            int verdict = Run(tunnelled, out ReadOnlySpan<byte> left);
            Assert.That(verdict, Is.EqualTo(PacketProgram.Passed));
            Assert.That(left[..12].SequenceEqual(tunnelled[..12]), "the Ethernet addresses stay");
            Assert.That(left[12..].SequenceEqual(packet.AsSpan(12)));
        }

        Assert.That(_maps!.CountOf(DecapsulationMaps.Stripped), Is.EqualTo(100));
    }

    [Test]
    public void What_is_no_tunnel_passes_untouched()
    {
        Load(secondChance: true);
        byte[] inner = Packets.Tcp(Packets.At("198.51.100.1:50000"), PacketScene.Four, PacketScene.Ack)[14..];
        byte[] tunnelled = Outer(inner, isSix: false, isInnerSix: false, marked: false);
        (string Name, byte[] Packet)[] others =
        [
            ("TCP", Packets.Tcp(Packets.At("198.51.100.1:50000"), PacketScene.Four, PacketScene.Ack)),
            ("a fragment", With(tunnelled, 14 + 6, 0x20)),
            ("a later fragment", With(tunnelled, 14 + 7, 1)),
            ("options", With(tunnelled, 14, 0x46)),
            ("another version within", With(tunnelled, 34, 0x65)),
            ("GRE", With(tunnelled, 14 + 9, 47)),
            ("cut off", tunnelled[..50]),
            ("ARP", With(tunnelled, 13, 6)),
        ];
        foreach ((string name, byte[] packet) in others)
        {
            Assert.That(Run(packet, out ReadOnlySpan<byte> left), Is.EqualTo(PacketProgram.Passed), name);
            Assert.That(left.SequenceEqual(packet), name);
        }
    }

    [Test]
    public void Tunnels_of_others_pass_if_the_addresses_are_given([Values] bool isSix)
    {
        Load(addresses: [PacketScene.Four.Address, PacketScene.Six.Address]);
        Endpoint client = Packets.At(isSix ? "[2001:db8:9::1]:5000" : "198.51.100.1:5000"), service = isSix ? PacketScene.Six : PacketScene.Four;
        Endpoint foreign = Packets.At(isSix ? "[2001:db8::99]:443" : "192.0.2.99:443");
        byte[] ours = Outer(Packets.Tcp(client, service, PacketScene.Ack)[14..], isSix: false, isSix, marked: false);
        byte[] others = Outer(Packets.Tcp(client, foreign, PacketScene.Ack)[14..], isSix: false, isSix, marked: false);
        Run(ours, out ReadOnlySpan<byte> left);
        Assert.That(left.Length, Is.EqualTo(ours.Length - 20));
        Run(others, out left);
        Assert.That(left.Length, Is.EqualTo(others.Length));
    }

    [Test]
    public void Packet_of_no_connection_goes_on_to_the_backend_that_the_outer_header_names_once([Values] bool isSix, [Values] bool isOuterSix)
    {
        Load(secondChance: true);
        using var listener = new TcpListener(isSix ? IPAddress.IPv6Loopback : IPAddress.Loopback, 0);
        listener.Start();
        var service = (IPEndPoint)listener.LocalEndpoint;
        using var client = new TcpClient(service.AddressFamily);
        client.Connect(service);
        using TcpClient accepted = listener.AcceptTcpClient();
        Endpoint at = Packets.At(service.ToString()), known = Packets.At(client.Client.LocalEndPoint!.ToString()!);
        Endpoint unknown = Packets.At(new IPEndPoint(service.Address, known.Port == 65535 ? 1 : known.Port + 1).ToString());
        Endpoint nobody = Packets.At(new IPEndPoint(service.Address, 1).ToString());
        int outer = isOuterSix ? 40 : 20;
        AssertStays(Packets.Tcp(known, at, PacketScene.Ack), marked: true, "the connection is here");
        AssertStays(Packets.Tcp(unknown, at, PacketScene.Syn), marked: true, "a new connection");
        AssertStays(Packets.Tcp(unknown, at, PacketScene.Ack), marked: false, "no other backend is named");
        AssertStays(Packets.Tcp(unknown, nobody, PacketScene.Ack), marked: true, "nothing listens: the kernel resets it");
        Assert.That(_maps!.CountOf(DecapsulationMaps.SentOn), Is.Zero);
        foreach (byte flags in new[] { PacketScene.Ack, Fin })
        {
            byte[] packet = Outer(Packets.Tcp(unknown, at, flags)[14..], isOuterSix, isSix, marked: true);
            Assert.That(Run(packet, out ReadOnlySpan<byte> sent), Is.EqualTo(PacketProgram.SentBack).Or.EqualTo(4));
            byte[] expected = Outer(Packets.Tcp(unknown, at, flags)[14..], isOuterSix, isSix, marked: false, isBack: true);
            Assert.That(sent[12..].ToArray(), Is.EqualTo(expected[12..]));
            Assert.That(Run(sent, out ReadOnlySpan<byte> left), Is.EqualTo(PacketProgram.Passed), "it goes on once only");
            Assert.That(left.Length, Is.EqualTo(packet.Length - outer));
        }

        Assert.That(_maps!.CountOf(DecapsulationMaps.SentOn), Is.EqualTo(2));

        void AssertStays(byte[] inner, bool marked, string why)
        {
            Assert.That(Run(Outer(inner[14..], isOuterSix, isSix, marked), out ReadOnlySpan<byte> left), Is.EqualTo(PacketProgram.Passed), why);
            Assert.That(left.Length, Is.EqualTo(inner.Length), why);
        }
    }

    [Test]
    public void Malformed_tunnel_has_a_defined_verdict()
    {
        Load(secondChance: true);
        var random = new Random(3);
        int[] verdicts = new int[5];
        for (int i = 0; i < 10_000; i++)
        {
            bool isSix = random.Next(2) == 0;
            byte[] inner = Packets.Tcp(
                PacketScene.Client(random, isSix), isSix ? PacketScene.Six : PacketScene.Four, (byte)random.Next(256), 0, random.Next(11))[14..];
            byte[] packet = Outer(inner, random.Next(2) == 0, isSix, marked: random.Next(2) == 0);
            for (int flips = random.Next(6); flips > 0; flips--)
            {
                packet[random.Next(packet.Length)] = (byte)random.Next(256);
            }

            int length = Math.Max(14, packet.Length - (random.Next(3) == 0 ? random.Next(packet.Length) : 0));
            int verdict = Run(packet.AsSpan(0, length), out _);
            if (verdict is < PacketProgram.Dropped or > 4)
            {
                Assert.Fail($"verdict {verdict}: {Convert.ToHexString(packet.AsSpan(0, length))}");
            }

            verdicts[verdict]++;
        }

        Assert.That(verdicts[PacketProgram.Passed], Is.Positive);
        Assert.That(_maps!.CountOf(DecapsulationMaps.Stripped), Is.InRange(1, 9_999));
    }

    private static byte[] With(byte[] packet, int at, byte value)
    {
        byte[] changed = [.. packet];
        changed[at] = value;
        return changed;
    }

    // Marked: the source is the other backend. Back: from this one to the other.
    private static byte[] Outer(byte[] inner, bool isSix, bool isInnerSix, bool marked, bool isBack = false)
    {
        byte protocol = isInnerSix ? (byte)41 : (byte)4;
        byte[] header = new byte[isSix ? 40 : 20];
        (byte[] source, byte[] destination) = (isSix ? Other6 : Other4, isSix ? Own6 : Own4);
        (source, destination) = isBack ? (destination, source) : (source, destination);
        if (isSix)
        {
            BinaryPrimitives.WriteInt32BigEndian(header, 0x6000_0123 | (marked ? OuterHeaderCode.Mark6 : 0));
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)inner.Length);
            header[6] = protocol;
            header[7] = 64;
            source.CopyTo(header, 8);
            destination.CopyTo(header, 24);
            return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd, .. header, .. inner];
        }

        header[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(20 + inner.Length));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), marked ? (ushort)OuterHeaderCode.Mark4 : (ushort)0);
        header[6] = 0x40;
        header[8] = 64;
        header[9] = protocol;
        source.CopyTo(header, 12);
        destination.CopyTo(header, 16);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), (ushort)~Packets.Sum(header));
        return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, .. header, .. inner];
    }

    private void Load(bool secondChance = false, ImmutableArray<HostAddress>? addresses = null)
    {
        _maps = DecapsulationMaps.TryCreate(addresses ?? [], out Errno fault);
        if (fault is Errno.EPERM or Errno.ENOSYS)
        {
            Assert.Ignore($"bpf(2): {fault}: needs CAP_BPF and CAP_NET_ADMIN");
        }

        Assert.That(fault, Is.EqualTo(Errno.None));
        SysResult program = Bpf.Load(Libc.BPF_PROG_TYPE_XDP, DecapsulationProgram.Assemble(_maps!, secondChance), out string log);
        Assert.That(program.IsError, Is.False, () => program + log[Math.Max(0, log.Length - 3000)..]);
        _program = program.Value;
    }

    private int Run(ReadOnlySpan<byte> packet, out ReadOnlySpan<byte> left)
    {
        byte[] copy = [.. packet];
        Assert.That(Bpf.Run(_program, copy, _result, 1, out ProgramRun run), Is.EqualTo(Errno.None));
        left = _result.AsSpan(0, run.Length).ToArray();
        return run.Verdict;
    }
}
