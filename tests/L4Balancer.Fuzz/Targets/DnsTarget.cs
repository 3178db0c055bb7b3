using System.Buffers.Binary;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;

namespace L4Balancer.Fuzz.Targets;

/// <summary>
/// DNS messages: whatever they are, the answer is none or a whole response within its bound, that is no larger than UDP allows.
/// </summary>
internal sealed class DnsTarget : FuzzTarget
{
    private static readonly DnsZone Zone = ZoneBuilder.Build(
        new DnsSettings { Zone = "lb.example.com" },
        RoutingSnapshot.Build(new(
            new BalancerConfig
            {
                Pools =
                [
                    new PoolSettings
                    {
                        Name = "chat",
                        Backends = [.. Enumerable.Range(0, 20).Select(i => new BackendSettings
                        {
                            Name = $"ws{i}", Address = $"10.0.0.{i}:80", Endpoint = new Endpoint(HostAddress.FromV4(0x0A00_0000u + (uint)i), 80),
                            PublicUrl = i % 2 == 0 ? $"wss://203.0.113.{i}/" : $"ws://ws{i}.example.net/",
                        })],
                    },
                ],
            },
            100)).Pools,
        [HostAddress.FromV4(0xC000_020A)],
        1);

    public override string Name => "dns";

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0], [1], [0, 1], [0, 2], [0xC0, 0x0C], [0xC0, 0xFF], [0x3F], [0x40], [0xFF, 0xFF], [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0],
        [0, 33], [0, 255], [0, 252], [0, 251],
        [.. "\u0004chat"u8], [.. "\u0002lb\u0007example\u0003com\0"u8], [.. "\u0004_wss\u0004_tcp"u8], [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8],
    ];

    public override IEnumerable<byte[]> Seeds() =>
    [
        .. ((ushort[])[1, 2, 6, 28, 33, 251, 252, 255]).SelectMany(type => ((byte[][])
        [
            [.. "\u0002lb\u0007example\u0003com\0"u8], [.. "\u0004chat\u0002LB\u0007eXample\u0003com\0"u8],
            [.. "\u0003ws1\u0004chat\u0002lb\u0007example\u0003com\0"u8],
            [.. "\u0004_wss\u0004_tcp\u0004chat\u0002lb\u0007example\u0003com\0"u8], [0],
        ]).SelectMany(name => ((byte[][])
        [
            [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. name, (byte)(type >> 8), (byte)type, 0, 1],
            [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, .. name, (byte)(type >> 8), (byte)type, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0],
        ]))),
    ];

    public override bool Run(byte[] bytes)
    {
        var udp = new byte[DnsAnswers.LargestUdp];
        int length = DnsAnswers.Answer(Zone, bytes, overTcp: false, 1, udp, out DnsResult result);
        Check(bytes, udp.AsSpan(0, length), result);
        var tcp = new byte[DnsAnswers.LargestTcp];
        int whole = DnsAnswers.Answer(Zone, bytes, overTcp: true, 1, tcp, out DnsResult second);
        Check(bytes, tcp.AsSpan(0, whole), second);
        Finding.Unless(whole >= length, "an answer over TCP that is shorter");
        Finding.Unless(second != DnsResult.Truncated, "a small zone does not fit into TCP");
        int empty = DnsAnswers.Truncate(bytes, udp);
        Finding.Unless(empty <= bytes.Length, "a truncated answer that is larger than the question");
        return result is DnsResult.Success or DnsResult.NoData or DnsResult.NoName or DnsResult.Truncated;
    }

    private static void Check(ReadOnlySpan<byte> question, ReadOnlySpan<byte> answer, DnsResult result)
    {
        Finding.Unless(answer.IsEmpty == (result == DnsResult.Ignored), $"{answer.Length} bytes for {result}");
        if (answer.IsEmpty)
        {
            return;
        }

        Finding.Unless(answer.Length >= 12 && answer[..2].SequenceEqual(question[..2]), "not the id that was asked");
        Finding.Unless((answer[2] & 0x80) != 0, "no response");
        int at = 12;
        for (int i = BinaryPrimitives.ReadUInt16BigEndian(answer[4..]); i > 0; i--)
        {
            at = Skip(answer, at) + 4;
        }

        int records = BinaryPrimitives.ReadUInt16BigEndian(answer[6..]) + BinaryPrimitives.ReadUInt16BigEndian(answer[8..])
            + BinaryPrimitives.ReadUInt16BigEndian(answer[10..]);
        for (; records > 0; records--)
        {
            at = Skip(answer, at) + 10;
            at += BinaryPrimitives.ReadUInt16BigEndian(answer[(at - 2)..]);
        }

        Finding.Unless(at == answer.Length, $"{at} bytes of records in {answer.Length}");
    }

    private static int Skip(ReadOnlySpan<byte> answer, int at)
    {
        while (answer[at] != 0)
        {
            if (answer[at] >= 0xC0)
            {
                Finding.Unless((BinaryPrimitives.ReadUInt16BigEndian(answer[at..]) & 0x3FFF) < at, "a pointer that does not go back");
                return at + 2;
            }

            at += 1 + answer[at];
        }

        return at + 1;
    }
}
