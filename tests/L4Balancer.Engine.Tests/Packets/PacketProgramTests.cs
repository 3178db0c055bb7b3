using System.Buffers.Binary;
using System.Net;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>The packet program, run in the kernel by BPF_PROG_TEST_RUN on packets made here: no interface is needed.</summary>
[TestFixture(true)]
[TestFixture(false)]
[SupportedOSPlatform("linux")]
internal sealed class PacketProgramTests(bool isXdp)
{
    private const int Members = 8;
    private const byte Syn = 2;
    private const byte Ack = 16;

    private readonly PacketHook _hook = isXdp ? PacketHook.Xdp : PacketHook.Tc;
    private readonly Endpoint _four = Packets.At("192.0.2.10:443");
    private readonly Endpoint _six = Packets.At("[2001:db8::10]:443");
    private PacketMaps _maps = null!;
    private FlatTable _table = null!;
    private int _program = -1;

    [SetUp]
    public void Load()
    {
        var layout = new ChoiceTable(65537, 64);
        PacketMaps? maps = PacketMaps.TryCreate(new PacketLimits(16, 4, 64, 1024, layout) { SynsPerSecond = 1_000_000 }, out Errno fault);
        if (fault is Errno.EPERM or Errno.ENOSYS)
        {
            Assert.Ignore($"bpf(2): {fault}: needs CAP_BPF and CAP_NET_ADMIN");
        }

        Assert.That(fault, Is.EqualTo(Errno.None));
        _maps = maps!;
        RingMember[] members = [.. Enumerable.Range(0, Members).Select(i => new RingMember(i, $"10.0.0.{i}:443", 100 + (i * 50)))];
        _table = FlatTable.Build(members, i => i != 5);
        Assert.That(_maps.SetTable(1, layout.Write(_table.Owners, [.. _table.Available], [.. Enumerable.Range(20, Members)])), Is.EqualTo(Errno.None));
        for (int i = 0; i < Members; i++)
        {
            Assert.That(_maps.SetBackend(20 + i, new PacketBackend(true, (ulong)(0x020000000100 + i), 0x020000000001)), Is.EqualTo(Errno.None));
        }

        SysResult program = Bpf.Load(_hook.ProgramType, PacketProgram.Assemble(_maps, _hook), out string log);
        Assert.That(program.IsError, Is.False, () => program + log[Math.Max(0, log.Length - 3000)..]);
        _program = program.Value;
    }

    [TearDown]
    public void Unload()
    {
        TcpSocket.Close(_program);
        _maps?.Dispose();
    }

    [TestCase(false, 0, ServiceFlags.None)]
    [TestCase(false, 2, ServiceFlags.None)]
    [TestCase(true, 0, ServiceFlags.None)]
    [TestCase(true, 1, ServiceFlags.None)]
    [TestCase(false, 1, ServiceFlags.SourceOnly)]
    [TestCase(true, 0, ServiceFlags.SourceOnly)]
    public void Packet_goes_to_the_backend_that_Core_chooses(bool isSix, int tags, ServiceFlags flags)
    {
        Serve(flags);
        var random = new Random(tags + (isSix ? 10 : 0));
        for (int i = 0; i < 2_000; i++)
        {
            Endpoint client = ClientFor(random, isSix);
            Endpoint service = isSix ? _six : _four;
            byte[] packet = Packets.Tcp(client, service, i % 2 == 0 ? Syn : Ack, tags, options: i % 3);
            (int verdict, byte[] sent) = Run(packet);
            Assert.That(verdict, Is.EqualTo(PacketProgram.SentBack));
            Assert.That(Packets.DestinationOf(sent), Is.EqualTo(0x020000000100UL + (ulong)Expected(client, service, flags)));
            Assert.That(sent.AsSpan(12).SequenceEqual(packet.AsSpan(12)), "nothing but the Ethernet addresses changes");
        }
    }

    [Test]
    public void Other_packets_pass_untouched()
    {
        Serve(ServiceFlags.None);
        Endpoint client = Packets.At("198.51.100.1:50000");
        byte[][] others =
        [
            Packets.Tcp(client, Packets.At("192.0.2.10:444"), Syn),
            Packets.Tcp(client, Packets.At("192.0.2.11:443"), Syn),
            Packets.Tcp(Packets.At("[2001:db8::1]:50000"), Packets.At("[2001:db8::11]:443"), Syn),
            Packets.WithProtocol(Packets.Tcp(client, _four, Syn), 17),
            Packets.Fragment(Packets.WithProtocol(Packets.Tcp(client, _four, Syn), 17), offset: 185),
            Packets.Fragment6(Packets.Tcp(Packets.At("[2001:db8::1]:50000"), _six, Syn, options: 1), protocol: 58),
            Packets.Tcp(client, _four, Syn, tags: 3),
            Packets.Tcp(client, _four, Syn)[..53],
            new byte[14],
        ];
        foreach (byte[] packet in others)
        {
            (int verdict, byte[] left) = Run(packet);
            Assert.That(verdict, Is.EqualTo(PacketProgram.Passed));
            Assert.That(left, Is.EqualTo(packet));
        }
    }

    [Test]
    public void Fragment_without_ports_is_dropped_if_it_is_for_a_service()
    {
        Serve(ServiceFlags.None);
        Endpoint client = Packets.At("198.51.100.1:50000");
        Assert.That(Run(Packets.Fragment(Packets.Tcp(client, _four, Ack), offset: 185)).Verdict, Is.EqualTo(PacketProgram.Dropped));
        Assert.That(Run(Packets.Fragment(Packets.Tcp(client, _four, Ack), offset: 0)).Verdict, Is.EqualTo(PacketProgram.SentBack));
        Assert.That(
            Run(Packets.Fragment(Packets.Tcp(client, Packets.At("192.0.2.11:443"), Ack), offset: 185)).Verdict, Is.EqualTo(PacketProgram.Passed));
        byte[] six = Packets.Tcp(Packets.At("[2001:db8::1]:50000"), _six, Ack, options: 1);
        Assert.That(Run(Packets.Fragment6(six, protocol: 6)).Verdict, Is.EqualTo(PacketProgram.Dropped));
        Assert.That(_maps.DropsOf(PacketDrop.Fragment), Is.EqualTo(2));
    }

    [Test]
    public void Flow_stays_when_the_table_changes_and_a_new_one_follows_it()
    {
        Serve(ServiceFlags.Remembers);
        var random = new Random(7);
        Endpoint[] clients = [.. Enumerable.Range(0, 200).Select(_ => ClientFor(random, isSix: false))];
        ulong[] before = [.. clients.Select(c => Packets.DestinationOf(Run(Packets.Tcp(c, _four, Syn)).Packet))];
        var layout = _maps.Limits.Table;
        FlatTable other = FlatTable.Build([new RingMember(0, "10.0.0.0:443", 100)], _ => true);
        Assert.That(_maps.SetTable(1, layout.Write(other.Owners, [.. other.Available], [20])), Is.EqualTo(Errno.None));
        Assert.That(clients.Select(c => Packets.DestinationOf(Run(Packets.Tcp(c, _four, Ack)).Packet)), Is.EqualTo(before));
        Assert.That(Packets.DestinationOf(Run(Packets.Tcp(clients[0], _four, Syn)).Packet), Is.EqualTo(0x020000000100UL));
    }

    [Test]
    public void Message_that_a_packet_was_too_big_goes_to_the_backend_of_the_flow([Values] bool isSix)
    {
        Serve(ServiceFlags.None);
        var random = new Random(9);
        for (int i = 0; i < 200; i++)
        {
            Endpoint client = ClientFor(random, isSix);
            Endpoint service = isSix ? _six : _four;
            (int verdict, byte[] sent) = Run(Packets.TooBig(client, service));
            Assert.That(verdict, Is.EqualTo(PacketProgram.SentBack));
            Assert.That(Packets.DestinationOf(sent), Is.EqualTo(0x020000000100UL + (ulong)Expected(client, service, ServiceFlags.None)));
        }
    }

    [Test]
    public void Fuzzed_packet_has_a_verdict_and_is_not_changed_unless_sent()
    {
        Serve(ServiceFlags.Remembers);
        var random = new Random(11);
        int[] verdicts = new int[5];
        for (int i = 0; i < 20_000; i++)
        {
            bool isSix = random.Next(2) == 0;
            byte[] packet = random.Next(4) == 0
                ? Packets.TooBig(ClientFor(random, isSix), isSix ? _six : _four)
                : Packets.Tcp(ClientFor(random, isSix), isSix ? _six : _four, (byte)random.Next(256), random.Next(3), random.Next(11));
            for (int flips = random.Next(6); flips > 0; flips--)
            {
                packet[random.Next(packet.Length)] = (byte)random.Next(256);
            }

            // The kernel does not run a tc program on less than an IP header.
            packet = packet[..Math.Max(isXdp ? 14 : 54, packet.Length - (random.Next(3) == 0 ? random.Next(packet.Length) : 0))];
            (int verdict, byte[] left) = Run(packet);
            Assert.That(verdict, Is.InRange(PacketProgram.Dropped, PacketProgram.SentBack));
            Assert.That(left.AsSpan(12).SequenceEqual(packet.AsSpan(12)));
            verdicts[verdict]++;
        }

        TestContext.Out.WriteLine($"dropped {verdicts[1]}, passed {verdicts[2]}, sent {verdicts[3]}");
        Assert.That(verdicts[PacketProgram.Passed], Is.Positive);
        Assert.That(verdicts[PacketProgram.SentBack], Is.Positive);
    }

    private void Serve(ServiceFlags flags)
    {
        foreach (Endpoint service in new[] { _four, _six })
        {
            Assert.That(_maps.SetService(service, 1, flags), Is.EqualTo(Errno.None));
            Assert.That(_maps.SetService(new Endpoint(service.Address, 0), 1, flags), Is.EqualTo(Errno.None));
        }
    }

    private int Expected(Endpoint client, Endpoint service, ServiceFlags flags)
    {
        byte[] key = new byte[KeyHashCode.TupleLength];
        client.Address.WriteTo(key);
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(16), client.Port);
        service.Address.WriteTo(key.AsSpan(18));
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(34), service.Port);
        int length = (flags & ServiceFlags.SourceOnly) != 0 ? KeyHashCode.AddressLength : KeyHashCode.TupleLength;
        return _table.Pick(new RouteKey(key.AsSpan(0, length)));
    }

    private static Endpoint ClientFor(Random random, bool isSix)
    {
        byte[] address = new byte[isSix ? 16 : 4];
        random.NextBytes(address);
        address[0] = isSix ? (byte)0x20 : (byte)10;
        return Packets.At(new IPEndPoint(new IPAddress(address), random.Next(1024, 65536)).ToString());
    }

    private (int Verdict, byte[] Packet) Run(byte[] packet)
    {
        byte[] result = new byte[packet.Length + 64];
        Assert.That(Bpf.Run(_program, packet, result, 1, out ProgramRun run), Is.EqualTo(Errno.None));
        int verdict = run.Verdict == _hook.SentBack ? PacketProgram.SentBack
            : run.Verdict == _hook.Passed ? PacketProgram.Passed
            : run.Verdict == _hook.Dropped ? PacketProgram.Dropped : run.Verdict;
        return (verdict, result[..run.Length]);
    }
}
