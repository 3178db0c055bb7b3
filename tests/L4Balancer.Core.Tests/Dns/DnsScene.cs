using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Dns;

/// <summary>Zones of configurations, questions, and the answers as a naive reader of RFC 1035 sees them.</summary>
internal static class DnsScene
{
    public const ushort A = 1;
    public const ushort Ns = 2;
    public const ushort Soa = 6;
    public const ushort Aaaa = 28;
    public const ushort Srv = 33;
    public const ushort Any = 255;

    public static readonly DnsSettings Settings = new() { Zone = "lb.example.com", Address = Addresses("192.0.2.10", "2001:db8::10") };

    public static ImmutableArray<HostAddress> Addresses(params string[] texts) =>
        [.. texts.Select(t => SetupScene.At(t.Contains(':') ? $"[{t}]:1" : $"{t}:1").Address)];

    public static BackendSettings Backend(string name, string url, int weight = 100, bool backup = false) => new()
    {
        Name = name,
        Address = $"10.0.1.1:{1 + name.Length}",
        Endpoint = SetupScene.At($"10.0.1.1:{1 + name.Length}"),
        PublicUrl = url,
        Weight = weight,
        Backup = backup,
    };

    public static RoutingSnapshot Snapshot(params (string Pool, BackendSettings[] Backends)[] pools) => RoutingSnapshot.Build(new(
        new BalancerConfig { Pools = [.. pools.Select(p => new PoolSettings { Name = p.Pool, Backends = [.. p.Backends] })] }, 100));

    public static DnsZone Zone(params (string Pool, BackendSettings[] Backends)[] pools) => Zone(Snapshot(pools));

    public static DnsZone Zone(RoutingSnapshot snapshot) => ZoneBuilder.Build(Settings, snapshot.Pools, Settings.Address, 2026_11_28);

    /// <param name="payload">Of EDNS; 0: without it.</param>
    public static byte[] Question(string name, ushort type, int payload = 1232, ushort @class = 1, byte version = 0)
    {
        List<byte> bytes = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, (byte)(payload > 0 ? 1 : 0)];
        foreach (string label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }

        bytes.AddRange([0, (byte)(type >> 8), (byte)type, (byte)(@class >> 8), (byte)@class]);
        bytes.AddRange(payload > 0 ? [0, 0, 41, (byte)(payload >> 8), (byte)payload, 0, version, 0, 0, 0, 0] : []);
        return [.. bytes];
    }

    public static DnsReply Ask(DnsZone zone, string name, ushort type, bool overTcp = false, ulong draw = 1, int payload = 1232) =>
        Ask(zone, Question(name, type, payload), overTcp, draw);

    public static DnsReply Ask(DnsZone zone, byte[] message, bool overTcp = false, ulong draw = 1) =>
        DnsReply.Read(Bytes(zone, message, overTcp, draw, out _));

    public static byte[] Bytes(DnsZone zone, byte[] message, bool overTcp, ulong draw, out DnsResult result)
    {
        var response = new byte[overTcp ? DnsAnswers.LargestTcp : DnsAnswers.LargestUdp];
        return response[..DnsAnswers.Answer(zone, message, overTcp, draw, response, out result)];
    }
}

/// <summary>A response. Records are shown as <c>OWNER TTL TYPE DATA</c>.</summary>
internal sealed record DnsReply(int Length, int Flags, string Question, string[] Answers, string[] Authorities, string[] Additional)
{
    /// <summary>With the upper bits that an OPT record has.</summary>
    public int Code => (Flags & 0xF) | (Additional.Contains("EDNS 1") ? 0x10 : 0);

    public bool IsAuthoritative => (Flags & 0x0400) != 0;

    public bool IsTruncated => (Flags & 0x0200) != 0;

    /// <summary>Only what follows the TTL and the type.</summary>
    public string[] Data => [.. Answers.Select(a => string.Join(' ', a.Split(' ')[3..]))];

    public static DnsReply Read(byte[] bytes)
    {
        int at = 12;
        string question = "";
        if (U16(bytes, 4) == 1)
        {
            question = $"{Name(bytes, ref at)} {U16(bytes, at)} {U16(bytes, at + 2)}";
            at += 4;
        }

        string[] answers = Records(bytes, ref at, U16(bytes, 6));
        string[] authorities = Records(bytes, ref at, U16(bytes, 8));
        string[] additional = Records(bytes, ref at, U16(bytes, 10));
        Assert.That(at, Is.EqualTo(bytes.Length), "nothing follows");
        return new DnsReply(bytes.Length, U16(bytes, 2), question, answers, authorities, additional);
    }

    private static string[] Records(byte[] bytes, ref int at, int count)
    {
        var records = new string[count];
        for (int i = 0; i < count; i++)
        {
            string owner = Name(bytes, ref at);
            int type = U16(bytes, at);
            uint ttl = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at + 4));
            int length = U16(bytes, at + 8);
            at += 10;
            records[i] = type == 41 ? $"EDNS {ttl >> 24}" : $"{owner} {ttl} {DataOf(bytes, type, at, length)}";
            at += length;
        }

        return records;
    }

    private static string DataOf(byte[] bytes, int type, int at, int length)
    {
        int name = at;
        switch (type)
        {
            case DnsScene.A:
            case DnsScene.Aaaa:
                return $"{(type == DnsScene.A ? "A" : "AAAA")} {new System.Net.IPAddress(bytes.AsSpan(at, length))}";
            case DnsScene.Ns:
                return $"NS {Name(bytes, ref name)}";
            case DnsScene.Srv:
                name += 6;
                return $"SRV {U16(bytes, at)} {U16(bytes, at + 2)} {U16(bytes, at + 4)} {Name(bytes, ref name)}";
            case DnsScene.Soa:
                string names = $"{Name(bytes, ref name)} {Name(bytes, ref name)}";
                IEnumerable<uint> numbers = Enumerable.Range(0, 5).Select(i => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(name + (4 * i))));
                return $"SOA {names} {string.Join(' ', numbers)}";
            default:
                return $"TYPE{type} {Convert.ToHexString(bytes, at, length)}";
        }
    }

    private static string Name(byte[] bytes, ref int at)
    {
        StringBuilder name = new();
        int read = at;
        bool jumped = false;
        while (bytes[read] != 0)
        {
            if (bytes[read] >= 0xC0)
            {
                int target = U16(bytes, read) & 0x3FFF;
                Assert.That(target, Is.LessThan(read), "a pointer goes back");
                at = jumped ? at : read + 2;
                jumped = true;
                read = target;
                continue;
            }

            name.Append(Encoding.ASCII.GetString(bytes, read + 1, bytes[read])).Append('.');
            read += 1 + bytes[read];
        }

        at = jumped ? at : read + 1;
        return name.Length == 0 ? "." : name.ToString();
    }

    private static int U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at));
}
