using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery.RedisSentinel;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Replies of a Redis Sentinel: values of RESP2, and three of them as the answer about a master.</summary>
internal sealed class SentinelTarget : FuzzTarget
{
    private const string Master = "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n*4\r\n$5\r\nflags\r\n$6\r\nmaster\r\n$12\r\nconfig-epoch\r\n$1\r\n3\r\n";

    public override string Name => "sentinel";

    public override IReadOnlyList<byte[]> Fragments { get; } = Texts.Of(
        "\r\n", "*", "$", ":", "+", "-", "-1\r\n", "*0\r\n", "*1\r\n", "*2\r\n", "*-1\r\n", "$-1\r\n", "$0\r\n\r\n", "$1048576\r\n", "*1048577\r\n", "+flags\r\n", "+s_down\r\n",
        "+ip\r\n", "+port\r\n", "+config-epoch\r\n", "+6379\r\n", "+10.0.0.2\r\n", "+::1\r\n", "+host\r\n", ":12\r\n", "-ERR no\r\n");

    public override IEnumerable<byte[]> Seeds() => Texts.Of(
        Master + "*0\r\n", Master + "*1\r\n*6\r\n+ip\r\n+::1\r\n+port\r\n:6380\r\n+flags\r\n+slave\r\n",
        Master + "*2\r\n*6\r\n+ip\r\n+10.0.0.2\r\n+port\r\n+6380\r\n+flags\r\n+slave,s_down\r\n*6\r\n+ip\r\n+10.0.0.3\r\n+port\r\n+6380\r\n+flags\r\n+slave\r\n",
        "*-1\r\n-ERR No such master with that name\r\n-ERR No such master with that name\r\n", "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n+a\r\n$1\r\nb\r\n+OK\r\n:7\r\n");

    public override bool Run(byte[] bytes)
    {
        var replies = new List<RespValue>();
        ReadOnlySpan<byte> rest = bytes;
        RespOutcome outcome;
        while ((outcome = Parse(rest, out RespValue value, out int length)) == RespOutcome.Parsed)
        {
            rest = rest[length..];
            replies.Add(value);
        }

        if (replies.Count < SentinelView.Replies)
        {
            return false;
        }

        SentinelView? view = SentinelView.From(replies[0], replies[1], replies[2], out string why);
        Finding.Unless((view is null) == (why.Length > 0), $"a view, and why not: \"{why}\"");
        if (view is null)
        {
            Texts.CheckShown(why);
            return false;
        }

        var master = view.ToReading(SentinelRole.Master) as SourceReading.Complete;
        Finding.Unless(master?.Backends is [{ Address.Port: > 0 }], "no single master");
        if (view.ToReading(SentinelRole.Replica) is SourceReading.Complete replicas)
        {
            Finding.Unless(replicas.Backends.Distinct().Count() == replicas.Backends.Length, "a replica twice");
            Finding.Unless(replicas.Backends.All(b => b.Address.Port > 0 && b.Address != view.Master), "a replica that is none");
        }

        return true;
    }

    // What has arrived in parts is the same as what has arrived at once.
    private static RespOutcome Parse(ReadOnlySpan<byte> bytes, out RespValue value, out int length)
    {
        RespOutcome outcome = RespValue.TryParse(bytes, out value, out length);
        Finding.Unless(outcome == RespOutcome.Parsed ? length > 0 && length <= bytes.Length : length == 0, $"{outcome} of {length} bytes");
        if (outcome == RespOutcome.Parsed)
        {
            Finding.Unless(RespValue.TryParse(bytes[..(length - 1)], out _, out _) == RespOutcome.NeedMore, "the same with a byte less");
            Finding.Unless(RespValue.TryParse(bytes[..length], out _, out int again) == RespOutcome.Parsed && again == length, "another length without what follows");
        }
        else if (outcome == RespOutcome.NeedMore)
        {
            Finding.Unless(RespValue.TryParse(bytes[..(bytes.Length / 2)], out _, out _) == RespOutcome.NeedMore, "less is not the beginning of the same");
        }

        return outcome;
    }
}
