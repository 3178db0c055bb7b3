using System.Buffers.Binary;
using System.Net;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>Packets in outer headers, of which every byte is compared, and what the client gets for a packet that does not fit.</summary>
[TestFixture(true)]
[TestFixture(false)]
[SupportedOSPlatform("linux")]
internal sealed class TunnelCodeTests(bool isXdp)
{
    private const int Mtu = 1500;

    private readonly PacketHook _hook = isXdp ? PacketHook.Xdp : PacketHook.Tc;

    [Test]
    public void Packet_is_sent_in_an_outer_header_and_is_itself_unchanged([Values] bool isSix, [Values] bool isOuterSix, [Values(0, 1, 2)] int tags)
    {
        using PacketScene scene = Scene(isOuterSix);
        var random = new Random(tags);
        for (int i = 0; i < 200; i++)
        {
            Endpoint client = PacketScene.Client(random, isSix);
            byte[] packet = Packets.Tcp(client, ServiceOf(isSix), i % 2 == 0 ? PacketScene.Syn : PacketScene.Ack, tags, options: i % 3, payload: 6 + i);
            packet[14 + (4 * tags) + 1] |= isSix ? (byte)0x70 : (byte)0xba;
            int verdict = scene.Run(packet, out ReadOnlySpan<byte> sent);
            if (!isXdp && tags > 0)
            {
                Assert.That(verdict, Is.EqualTo(PacketProgram.Dropped), "the kernel has taken the first tag off already");
                Assert.That(scene.Maps.DropsOf(PacketDrop.NoRoom), Is.EqualTo(i + 1));
                continue;
            }

            Assert.That(verdict, Is.EqualTo(PacketProgram.SentBack));
            int link = 14 + (4 * tags), outer = isOuterSix ? 40 : 20, member = scene.Expected(client, ServiceOf(isSix));
            Assert.That(sent.Length, Is.EqualTo(packet.Length + outer));
            Assert.That(sent[12..(link - 2)].SequenceEqual(packet.AsSpan(12..(link - 2))), "the tags stay");
            Assert.That(BinaryPrimitives.ReadUInt16BigEndian(sent[(link - 2)..]), Is.EqualTo(isOuterSix ? 0x86dd : 0x0800));
            Assert.That(sent[(link + outer)..].SequenceEqual(packet.AsSpan(link)), "the packet is unchanged");
            Assert.That(Header(sent[link..], isOuterSix), Is.EqualTo(Expected(member, isSix, isOuterSix, packet.Length - link)));
            if (!isOuterSix)
            {
                Assert.That(Packets.Sum(sent[link..(link + 20)]), Is.EqualTo(0xffff), "checksum");
            }
        }
    }

    [Test]
    public void Message_that_a_packet_was_too_big_is_sent_in_the_tunnel_of_its_flow([Values] bool isSix)
    {
        using PacketScene scene = Scene(isOuterSix: false);
        var random = new Random(3);
        for (int i = 0; i < 50; i++)
        {
            Endpoint client = PacketScene.Client(random, isSix);
            Assert.That(scene.Run(Packets.TooBig(client, ServiceOf(isSix)), out ReadOnlySpan<byte> sent), Is.EqualTo(PacketProgram.SentBack));
            Assert.That(sent[14 + 19], Is.EqualTo(scene.Expected(client, ServiceOf(isSix)) + 1));
        }
    }

    [Test]
    public void Packet_that_fits_without_the_outer_header_only_is_answered_by_the_size_that_fits([Values] bool isSix, [Values] bool isOuterSix)
    {
        using PacketScene scene = Scene(isOuterSix);
        Endpoint client = PacketScene.Client(new Random(4), isSix), service = ServiceOf(isSix);
        int ip = isSix ? 40 : 20, outer = isOuterSix ? 40 : 20, fits = Mtu - outer - ip - 20;
        Assert.That(
            scene.Run(Whole(Packets.Tcp(client, service, PacketScene.Ack, payload: fits)), out _), Is.EqualTo(PacketProgram.SentBack));
        Assert.That(scene.Maps.DropsOf(PacketDrop.TooBig), Is.Zero);
        byte[] packet = Whole(Packets.Tcp(client, service, PacketScene.Ack, payload: fits + 1));
        Assert.That(scene.Run(packet, out ReadOnlySpan<byte> answer), Is.EqualTo(PacketProgram.SentBack));
        Assert.That(scene.Maps.DropsOf(PacketDrop.TooBig), Is.EqualTo(1));
        Assert.That(answer[..6].SequenceEqual(packet.AsSpan(6, 6)), "to the station that the packet came from");
        Assert.That(answer[6..12].SequenceEqual(packet.AsSpan(0, 6)));
        ReadOnlySpan<byte> header = answer[14..(14 + ip)], message = answer[(14 + ip)..];
        Assert.That(BinaryPrimitives.ReadUInt16BigEndian(header[(isSix ? 4 : 2)..]), Is.EqualTo(isSix ? message.Length : ip + message.Length));
        Assert.That(header[isSix ? 6 : 9], Is.EqualTo(isSix ? 58 : 1));
        Assert.That(new IPAddress(isSix ? header[8..24] : header[12..16]), Is.EqualTo(service.Address.ToIPAddress()));
        Assert.That(new IPAddress(isSix ? header[24..40] : header[16..20]), Is.EqualTo(client.Address.ToIPAddress()));
        Assert.That(message[0], Is.EqualTo(isSix ? 2 : 3));
        Assert.That(message[1], Is.EqualTo(isSix ? 0 : 4));
        Assert.That(BinaryPrimitives.ReadUInt16BigEndian(message[6..]), Is.EqualTo(Mtu - outer));
        Assert.That(message[8..].SequenceEqual(packet.AsSpan(14, message.Length - 8)), "it quotes the packet");
        if (isSix)
        {
            byte[] pseudo = [.. header[8..40], 0, 0, (byte)(message.Length >> 8), (byte)message.Length, 0, 0, 0, 58];
            Assert.That(Packets.Sum([.. pseudo, .. message]), Is.EqualTo(0xffff));
        }
        else
        {
            Assert.That(Packets.Sum(header), Is.EqualTo(0xffff));
            Assert.That(Packets.Sum(message), Is.EqualTo(0xffff));
        }

        byte[] Whole(byte[] made) => isSix ? made : Packets.WithoutFragments(made);
    }

    [Test]
    public void Answers_to_packets_that_do_not_fit_are_bounded()
    {
        using PacketScene scene = Scene(isOuterSix: false);
        byte[] packet = Packets.WithoutFragments(Packets.Tcp(PacketScene.Client(new Random(5), false), PacketScene.Four, PacketScene.Ack, payload: 1460));
        int answered = 0;
        for (int i = 0; i < 500; i++)
        {
            answered += scene.Run(packet, out _) == PacketProgram.SentBack ? 1 : 0;
        }

        Assert.That(scene.Maps.DropsOf(PacketDrop.TooBig), Is.EqualTo(500));
        Assert.That(answered, Is.InRange(1, 400));
    }

    [Test]
    public void Packet_that_may_be_fragmented_and_does_not_fit_is_dropped()
    {
        using PacketScene scene = Scene(isOuterSix: false);
        byte[] packet = Packets.Tcp(PacketScene.Client(new Random(5), false), PacketScene.Four, PacketScene.Ack, payload: 1460);
        Assert.That(scene.Run(packet, out _), Is.EqualTo(PacketProgram.Dropped));
        Assert.That(scene.Maps.DropsOf(PacketDrop.TooBig), Is.EqualTo(1));
    }

    [Test]
    public void Outer_header_names_the_backend_of_the_table_before([Values] bool isOuterSix)
    {
        using PacketScene scene = Scene(isOuterSix, ServiceFlags.SecondChance, secondChance: true);
        scene.Publish(i => i != 3);
        var random = new Random(6);
        Endpoint[] clients = [.. Enumerable.Range(0, 500).Select(i => PacketScene.Client(random, i % 2 == 0))];
        int[] before = [.. clients.Select(c => scene.Expected(c, ServiceOf(!c.Address.IsV4)))];
        scene.Publish(_ => true);
        int moved = 0;
        for (int i = 0; i < clients.Length; i++)
        {
            Endpoint service = ServiceOf(!clients[i].Address.IsV4);
            int now = scene.Expected(clients[i], service);
            foreach (byte flags in new[] { PacketScene.Ack, PacketScene.Syn })
            {
                Assert.That(scene.Run(Packets.Tcp(clients[i], service, flags), out ReadOnlySpan<byte> sent), Is.EqualTo(PacketProgram.SentBack));
                bool isNamed = now != before[i] && flags == PacketScene.Ack;
                moved += isNamed ? 1 : 0;
                ReadOnlySpan<byte> outer = sent[14..];
                IPAddress source = new(isOuterSix ? outer[8..24] : outer[12..16]), destination = new(isOuterSix ? outer[24..40] : outer[16..20]);
                Assert.That(destination, Is.EqualTo(Tunnel(now, isOuterSix).Destination.ToIPAddress()));
                Assert.That(source, Is.EqualTo((isNamed ? Tunnel(before[i], isOuterSix).Destination : Tunnel(0, isOuterSix).Source).ToIPAddress()));
                bool isMarked = isOuterSix
                    ? (BinaryPrimitives.ReadInt32BigEndian(outer) & OuterHeaderCode.Mask6) == OuterHeaderCode.Mark6
                    : BinaryPrimitives.ReadUInt16BigEndian(outer[4..]) == OuterHeaderCode.Mark4;
                Assert.That(isMarked, Is.EqualTo(isNamed));
                if (!isOuterSix)
                {
                    Assert.That(Packets.Sum(outer[..20]), Is.EqualTo(0xffff));
                }
            }
        }

        Assert.That(moved, Is.InRange(1, clients.Length / 2));
    }

    private static Endpoint ServiceOf(bool isSix) => isSix ? PacketScene.Six : PacketScene.Four;

    private static PacketTunnel Tunnel(int member, bool isSix) => isSix
        ? new PacketTunnel(Packets.At("[2001:db8:5::99]:1").Address, Packets.At($"[2001:db8:5::{member + 1:x}]:1").Address, Mtu)
        : new PacketTunnel(Packets.At("198.18.0.99:1").Address, Packets.At($"198.18.0.{member + 1}:1").Address, Mtu);

    private static string Header(ReadOnlySpan<byte> ip, bool isSix) => isSix
        ? $"{ip[0] >> 4} class {((ip[0] & 15) << 4) | (ip[1] >> 4)} length {BinaryPrimitives.ReadUInt16BigEndian(ip[4..])} of {ip[6]}, {ip[7]} hops, "
            + $"{new IPAddress(ip[8..24])} to {new IPAddress(ip[24..40])}"
        : $"{ip[0]:x} class {ip[1]} length {BinaryPrimitives.ReadUInt16BigEndian(ip[2..])} of {ip[9]}, {ip[8]} hops, "
            + $"{new IPAddress(ip[12..16])} to {new IPAddress(ip[16..20])}, id {ip[4] | ip[5]}, {ip[6]:x2}{ip[7]:x2}";

    private static string Expected(int member, bool isSix, bool isOuterSix, int length)
    {
        PacketTunnel tunnel = Tunnel(member, isOuterSix);
        (int protocol, int kind) = isSix ? (41, 4) : (4, 0xb8);
        return isOuterSix
            ? $"6 class {kind} length {length} of {protocol}, 64 hops, {tunnel.Source.ToIPAddress()} to {tunnel.Destination.ToIPAddress()}"
            : $"45 class {kind} length {length + 20} of {protocol}, 64 hops, {tunnel.Source.ToIPAddress()} to {tunnel.Destination.ToIPAddress()}, id 0, 4000";
    }

    private PacketScene Scene(bool isOuterSix, ServiceFlags flags = ServiceFlags.None, bool secondChance = false) =>
        new(_hook, 8, flags, 1024, secondChance, 100_000, [.. Enumerable.Range(0, 8).Select(i => Tunnel(i, isOuterSix))]);
}
