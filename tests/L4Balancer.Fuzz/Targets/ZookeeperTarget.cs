using L4Balancer.Discovery.Zookeeper;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Frames of a ZooKeeper server. The first byte chooses the reply that the client waits for.</summary>
internal sealed class ZookeeperTarget : FuzzTarget
{
    private const int Kinds = 4;

    // czxid to pzxid; the value was written by transaction 7.
    private static readonly byte[] Stat = Frame(f => f.Long(5).Long(7).Long(1).Long(1).Int(0).Int(0).Int(0).Long(0).Int(4).Int(0).Long(9));

    public override string Name => "zookeeper";

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0, 0, 0, 0], [255, 255, 255, 255], [255, 255, 255, 254], [127, 255, 255, 255], [0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 1, 0], [0], [1], [2], [3],
        Frame(static f => f.Text("ws1")), Frame(static f => f.Text("a/b")), Frame(static f => f.Int(1).Long(9).Int(-101)), Stat,
    ];

    public override IEnumerable<byte[]> Seeds() =>
    [
        [0, .. Frame(static f => f.Int(0).Int(10_000).Long(7).Buffer(new byte[16]).Bool(false))],
        [1, .. Frame(static f => f.Int(3).Long(9).Int(0).Int(2).Text("ws1").Text("ws2")), .. Stat],
        [1, .. Frame(static f => f.Int(3).Long(9).Int(0).Int(-1)), .. Stat],
        [2, .. Frame(static f => f.Int(4).Long(9).Int(0).Text("{\"address\":\"10.0.0.1:443\"}")), .. Stat],
        [2, .. Frame(static f => f.Int(4).Long(9).Int(-101))],
        [3, .. Frame(static f => f.Int(-1).Long(-1).Int(0).Int(4).Int(3).Text("/l4balancer/backends"))],
    ];

    public override bool Run(byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return false;
        }

        ReadOnlySpan<byte> frame = bytes.AsSpan(1);
        if (bytes[0] % Kinds == 0)
        {
            return ZookeeperReply.TryConnect(frame, out _);
        }

        if (!ZookeeperReply.TryHeader(frame, out ZookeeperReplyHeader header))
        {
            Finding.Unless(frame.Length < ZookeeperReplyHeader.Length, $"no header in {frame.Length} bytes");
            return false;
        }

        Texts.CheckShown(ZookeeperReplyHeader.TextOf(header.Error));
        ReadOnlySpan<byte> body = frame[ZookeeperReplyHeader.Length..];
        return (bytes[0] % Kinds) switch
        {
            1 => AreChildren(body),
            2 => IsData(body),
            _ => ZookeeperReply.TryEvent(body, out _),
        };
    }

    private static bool AreChildren(ReadOnlySpan<byte> body)
    {
        bool read = ZookeeperReply.TryChildren(body, out List<byte[]> children);
        Finding.Unless(children.Sum(static c => c.Length + sizeof(int)) <= body.Length, "more bytes in names than have arrived");
        Finding.Unless(children.All(static c => c.Length > 0 && !c.Contains((byte)'/')), "a name that is none");
        return read;
    }

    private static bool IsData(ReadOnlySpan<byte> body)
    {
        bool read = ZookeeperReply.TryData(body, out ReadOnlySpan<byte> data, out _);
        Finding.Unless(data.IsEmpty || body.Overlaps(data), "a value from elsewhere");
        return read;
    }

    // Without the length before it.
    private static byte[] Frame(Func<JuteFrame, JuteFrame> write) => write(new JuteFrame()).ToBytes()[sizeof(int)..];
}
