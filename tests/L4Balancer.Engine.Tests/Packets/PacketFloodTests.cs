using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>The packet program under many packets: every choice as Core's, floods, malformed packets, and what a packet costs.</summary>
[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class PacketFloodTests
{
    /// <summary>BPF_PROG_TEST_RUN takes no shorter frame with an IP header at tc.</summary>
    private const int LeastAtTc = 54;

    private static readonly PacketTunnel Tunnel = new(Packets.At("198.18.0.99:1").Address, Packets.At("198.18.0.1:1").Address, 1500);

    [Test]
    public void Choice_for_100000_tuples_is_that_of_Core_with_a_third_of_the_backends_down()
    {
        using PacketScene scene = new(PacketHook.Xdp, 30, ServiceFlags.None, 1024, secondChance: false, 1000);
        scene.Publish(i => i % 3 != 1);
        var random = new Random(1);
        int[] chosen = new int[30];
        for (int i = 0; i < 100_000; i++)
        {
            bool isSix = i % 2 == 0;
            Endpoint client = PacketScene.Client(random, isSix), service = isSix ? PacketScene.Six : PacketScene.Four;
            int verdict = scene.Run(Packets.Tcp(client, service, PacketScene.Ack), out ReadOnlySpan<byte> sent);
            int member = (int)(Packets.DestinationOf(sent) - PacketScene.MacOf(0));
            if (verdict != PacketProgram.SentBack || member != scene.Expected(client, service))
            {
                Assert.Fail($"{client} to {service}: verdict {verdict}, backend {member} instead of {scene.Expected(client, service)}");
            }

            chosen[member]++;
        }

        double weights = scene.Members.Where(m => m.Index % 3 != 1).Sum(m => (double)m.Weight);
        foreach ((int index, int weight) in scene.Members.Select(m => (m.Index, m.Weight)))
        {
            double fair = index % 3 == 1 ? 0 : 100_000 * weight / weights;
            Assert.That(chosen[index], Is.EqualTo(fair).Within((5 * Math.Sqrt(fair)) + (0.02 * fair)), $"backend {index}");
        }
    }

    [Test]
    public void Flood_of_SYNs_does_not_evict_the_flows_that_live_while_a_backend_is_added()
    {
        const int flows = 20_000, established = 2_000, flood = 200_000;
        var limits = new PacketLimits(1, 1, 1, flows, new ChoiceTable(65537, 128));
        using PacketScene scene = new(PacketHook.Xdp, 12, ServiceFlags.Remembers, flows, secondChance: false, limits.SynsPerSecond);
        scene.Publish(i => i != 7);
        var random = new Random(2);
        Endpoint[] clients = [.. Enumerable.Range(0, established).Select(_ => PacketScene.Client(random, isSix: false))];
        ulong[] before = new ulong[established];
        for (int i = 0; i < established; i++)
        {
            scene.Run(Packets.Tcp(clients[i], PacketScene.Four, PacketScene.Syn), out _);
            scene.Run(Packets.Tcp(clients[i], PacketScene.Four, PacketScene.Ack), out ReadOnlySpan<byte> sent);
            before[i] = Packets.DestinationOf(sent);
        }

        for (int i = 0; i < flood; i++)
        {
            scene.Run(Packets.Tcp(PacketScene.Client(random, isSix: false), PacketScene.Four, PacketScene.Syn), out _);
            if (i == flood / 2)
            {
                scene.Publish(_ => true);
            }
        }

        int moved = 0, wouldMove = 0;
        for (int i = 0; i < established; i++)
        {
            scene.Run(Packets.Tcp(clients[i], PacketScene.Four, PacketScene.Ack), out ReadOnlySpan<byte> sent);
            moved += Packets.DestinationOf(sent) == before[i] ? 0 : 1;
            wouldMove += PacketScene.MacOf(scene.Expected(clients[i], PacketScene.Four)) == before[i] ? 0 : 1;
        }

        Assert.That(wouldMove, Is.Positive, "otherwise this shows nothing");
        Assert.That(moved, Is.Zero);
    }

    [Test]
    public void Connection_that_begins_anew_in_a_flood_stays_with_the_backend_of_its_SYN()
    {
        using PacketScene scene = new(PacketHook.Xdp, 2, ServiceFlags.Remembers, 1024, secondChance: false, syns: 8);
        var random = new Random(3);
        Endpoint[] clients = [.. Enumerable.Range(0, 100).Select(_ => PacketScene.Client(random, isSix: false))];
        scene.Publish(i => i == 0);
        foreach (Endpoint client in clients)
        {
            scene.Run(Packets.Tcp(client, PacketScene.Four, PacketScene.Ack), out _);
        }

        // One SYN in an eighth of a second is within the bound.
        scene.Publish(i => i == 1);
        foreach (Endpoint client in clients)
        {
            scene.Run(Packets.Tcp(client, PacketScene.Four, PacketScene.Syn), out ReadOnlySpan<byte> begins);
            ulong first = Packets.DestinationOf(begins);
            scene.Run(Packets.Tcp(client, PacketScene.Four, PacketScene.Ack), out ReadOnlySpan<byte> goesOn);
            Assert.That((first, Packets.DestinationOf(goesOn)), Is.EqualTo((PacketScene.MacOf(1), PacketScene.MacOf(1))));
        }
    }

    [TestCase(true, false)]
    [TestCase(true, true)]
    [TestCase(false, false)]
    [TestCase(false, true)]
    public void Malformed_packet_has_a_defined_verdict(bool isXdp, bool isTunnel) => Fuzz(isXdp, isTunnel, 12_500);

    [Test]
    public void Million_malformed_packets_have_defined_verdicts([Values] bool isXdp, [Values] bool isTunnel) => Fuzz(isXdp, isTunnel, 250_000);

    [Test]
    public void Packet_of_the_corpus_has_the_verdict_that_is_documented([Values] bool isXdp)
    {
        using PacketScene scene = Scene(isXdp, isTunnel: true);
        Endpoint client = Packets.At("198.51.100.1:50000"), client6 = Packets.At("[2001:db8:9::1]:50000");
        byte[] four = Packets.Tcp(client, PacketScene.Four, PacketScene.Ack), six = Packets.Tcp(client6, PacketScene.Six, PacketScene.Ack);
        byte[] message4 = Packets.TooBig(client, PacketScene.Four), message6 = Packets.TooBig(client6, PacketScene.Six);
        (string Name, byte[] Packet)[] malformed =
        [
            ("no header after Ethernet", four[..14]),
            ("an IPv4 header cut off", four[..33]),
            ("a TCP header cut off", four[..53]),
            ("an IPv6 header cut off", six[..53]),
            ("version 5", With(four, 14, 0x55)),
            ("a header of 16 bytes", With(four, 14, 0x44)),
            ("options beyond the end", With(four, 14, 0x4f)),
            ("a total length below the header", With(four, 17, 19)),
            ("a total length without a TCP header", With(four, 17, 39)),
            ("a total length beyond the frame", With(four, 16, 1)),
            ("a payload length beyond the frame", With(six, 18, 1)),
            ("a payload length of zero", With(With(six, 18, 0), 19, 0)),
            ("version 4 in an IPv6 frame", With(six, 14, 0x45)),
            ("extension headers without end", With(six, 20, 0)),
            ("an unknown extension header", With(six, 20, 253)),
            ("ICMP of another type", With(message4, 34, 8)),
            ("ICMP of another code", With(message4, 35, 1)),
            ("ICMP about UDP", With(message4, 14 + 28 + 9, 17)),
            ("ICMP cut off", message4[..60]),
            ("ICMPv6 of another type", With(message6, 54, 1)),
            ("ICMPv6 about UDP", With(message6, 14 + 48 + 6, 17)),
            ("ARP", With(four, 13, 6)),
            ("three VLAN tags", Packets.Tcp(client, PacketScene.Four, PacketScene.Ack, tags: 3)),
        ];
        foreach ((string name, byte[] packet) in malformed.Where(m => isXdp || m.Packet.Length >= LeastAtTc))
        {
            Assert.That(scene.Run(packet, out ReadOnlySpan<byte> left), Is.EqualTo(PacketProgram.Passed), name);
            Assert.That(left.SequenceEqual(packet), name);
        }

        Assert.That(scene.Run(four, out _), Is.EqualTo(PacketProgram.SentBack));
        Assert.That(scene.Run(six, out _), Is.EqualTo(PacketProgram.SentBack));
        Assert.That(scene.Run([.. four, 0, 0, 0, 0, 0], out _), Is.EqualTo(PacketProgram.SentBack), "filled up to the least frame");
    }

    [Test]
    public void Cost_of_a_packet_is_reported()
    {
        Endpoint client = Packets.At("198.51.100.1:50000");
        byte[] packet = Packets.Tcp(client, PacketScene.Four, PacketScene.Ack), foreign = Packets.Tcp(client, Packets.At("192.0.2.11:443"), PacketScene.Ack);
        foreach (bool isTunnel in new[] { false, true })
        {
            foreach (bool isRemembered in new[] { false, true })
            {
                using PacketScene scene = new(PacketHook.Xdp, 30, isRemembered ? ServiceFlags.Remembers : ServiceFlags.None, 100_000,
                    secondChance: false, 1000, isTunnel ? [Tunnel] : []);
                scene.Publish(i => i % 3 != 1);
                int time = scene.Time(packet, grows: isTunnel);
                TestContext.Out.WriteLine(
                    $"{(isTunnel ? "ipip" : "l2")}, {(isRemembered ? "with" : "without")} flow table: {time} ns; not ours: {scene.Time(foreign, isTunnel)} ns");
                Assert.That(time, Is.InRange(1, 1_000_000));
            }
        }
    }

    private static byte[] With(byte[] packet, int at, byte value)
    {
        byte[] changed = [.. packet];
        changed[at] = value;
        return changed;
    }

    private static PacketScene Scene(bool isXdp, bool isTunnel) => new(isXdp ? PacketHook.Xdp : PacketHook.Tc, 8, ServiceFlags.Remembers | ServiceFlags.SecondChance,
        1024, secondChance: isTunnel, 1000, isTunnel ? [Tunnel, Tunnel with { Mtu = 120 }] : []);

    private static void Fuzz(bool isXdp, bool isTunnel, int count)
    {
        using PacketScene scene = Scene(isXdp, isTunnel);
        scene.Publish(i => i != 2);
        int seed = (isXdp ? 1 : 0) + (isTunnel ? 2 : 0);
        var random = new Random(seed);
        int[] verdicts = new int[4];
        for (int i = 0; i < count; i++)
        {
            bool isSix = random.Next(2) == 0;
            Endpoint client = PacketScene.Client(random, isSix), service = isSix ? PacketScene.Six : PacketScene.Four;
            byte[] packet = random.Next(4) == 0
                ? Packets.TooBig(client, service)
                : Packets.Tcp(client, service, (byte)random.Next(256), random.Next(3), random.Next(11), random.Next(300));
            for (int flips = random.Next(6); flips > 0; flips--)
            {
                packet[random.Next(random.Next(2) == 0 ? Math.Min(80, packet.Length) : packet.Length)] = (byte)random.Next(256);
            }

            int length = Math.Max(isXdp ? 14 : LeastAtTc, packet.Length - (random.Next(3) == 0 ? random.Next(packet.Length) : 0));
            int verdict = scene.Run(packet.AsSpan(0, length), out ReadOnlySpan<byte> left);
            if (verdict is < PacketProgram.Dropped or > PacketProgram.SentBack)
            {
                Assert.Fail($"packet {i} of seed {seed}: verdict {verdict}: {Convert.ToHexString(packet.AsSpan(0, length))}");
            }

            // What passes is untouched; on the segment what is sent has other Ethernet addresses and nothing else.
            bool isWhole = verdict == PacketProgram.Passed
                ? left.SequenceEqual(packet.AsSpan(0, length))
                : verdict == PacketProgram.Dropped || isTunnel || left[12..].SequenceEqual(packet.AsSpan(12, length - 12));
            if (!isWhole)
            {
                Assert.Fail($"packet {i} of seed {seed} is changed: {Convert.ToHexString(packet.AsSpan(0, length))}");
            }

            verdicts[verdict]++;
        }

        TestContext.Out.WriteLine($"{count} packets: dropped {verdicts[1]}, passed {verdicts[2]}, sent {verdicts[3]}");
        Assert.That(verdicts[1..], Has.All.Positive);
    }
}
