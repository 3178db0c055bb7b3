using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Consul;
using L4Balancer.Discovery.Http;
using L4Balancer.Discovery.Kubernetes;

namespace L4Balancer.Fuzz.Targets;

/// <summary>
/// What stores of backends answer: each answer is a whole set, or is unknown with a short reason in one line. The first byte of an input chooses the
/// store.
/// </summary>
internal sealed class StoreAnswerTarget : FuzzTarget
{
    public override string Name => "storeanswer";

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0xFF], [0], "\u001b[31m"u8.ToArray(), "é"u8.ToArray(),
        .. Texts.Of(
            "[", "]", "{", "}", ",", ":", "\"", "null", "true", "false", "1e9", "-1", "99999999999", "\\u0000", "\\ud800", "\n", "{\"targets\":[", "\"labels\":{",
            "\"10.0.0.1:443\"", "\"[2001:db8::1]:1\"", "\"weight\":\"5\"", "\"address\":", "\"public_url\":\"wss://a.example/\"", "\"Service\":{", "\"Node\":{",
            "\"Weights\":{\"Passing\":", "\"endpoints\":[", "\"addresses\":[", "\"conditions\":{\"ready\":", "\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}",
            "\"type\":\"DELETED\"", "\"ports\":[{\"port\":1}]"),
    ];

    public override IEnumerable<byte[]> Seeds() => Texts.Of(
        """0[{"targets":["10.0.0.1:1","[2001:db8::1]:2"],"labels":{"weight":"7","backup":"true","max_connections":"9"}}]""",
        """1[{"Node":{"Node":"n1","Address":"192.0.2.1"},"Service":{"ID":"chat","Service":"chat","Port":80,"Meta":{"weight":"1"},"Weights":{"Passing":3}}}]""",
        """2{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"},"endpoints":[{"addresses":["10.0.0.1"]}],"ports":[{"name":"ws","port":1}]}]}""",
        """3{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"2"},"endpoints":[{"addresses":["10.0.0.1"]}],"ports":[{"port":1}]}}""",
        """4{"address":"10.0.0.1:443","weight":100,"backup":false,"max_connections":0,"public_url":"wss://a.example/"}""");

    public override bool Run(byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return false;
        }

        SourceReading reading = Read(bytes[0], bytes.AsMemory(1));
        if (reading is SourceReading.Unknown unknown)
        {
            Finding.Unless(unknown.Why.Length is > 0 and < 500 && !unknown.Why.Any(char.IsControl), $"a reason of {unknown.Why.Length} characters, or in several lines");
            return false;
        }

        foreach (DiscoveredBackend backend in ((SourceReading.Complete)reading).Backends)
        {
            Finding.Unless(backend.Address is { IsUnix: false, Port: > 0 }, $"{backend.Address}");
            Finding.Unless(backend is { Weight: >= 0 and <= 1000, MaxConnections: >= 0 }, $"{backend}");
        }

        return true;
    }

    private static SourceReading Read(byte store, ReadOnlyMemory<byte> answer)
    {
        var slices = new SliceSet("");
        switch ((byte)(store - '0') % 5)
        {
            case 0:
                return HttpTargets.Read(answer.Span, "1");
            case 1:
                return ConsulInstances.Read(answer.Span, "1");
            case 2:
                return slices.List(answer.Span) is string why ? new SourceReading.Unknown(why) : slices.ToReading();
            case 3:
                return slices.Follow(answer.Span, out _) is string end ? new SourceReading.Unknown(end) : slices.ToReading();
            default:
                return Registration.Read([new Registration("ws1", answer, 1)], "1");
        }
    }
}
