using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Tests.Balancing;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>
/// Seeded mutations of everything that a parser accepts: no exception, no reading beyond the bytes (the arrays end where the bytes end), no
/// answer that contradicts itself, no time out of proportion.
/// </summary>
[NonParallelizable]
internal sealed class InspectionFuzzTests
{
    private const int Seed = 20261128;
    private const int Rounds = 40_000;
    private const int Limit = 16 * 1024;

    private static readonly FourTuple Client = Samples.Tuple("192.0.2.1:1", "192.0.2.2:2");

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    private static readonly string[] Requests =
    [
        "GET /rooms/%34%32?token=a%20b&room=x HTTP/1.1\r\nHost: Chat.Example.com:8080\r\nCookie: a=1; sid=\"q\"\r\nX-Room: lobby\r\n\r\n",
        "GET http://[2001:db8::1]:80/p?q HTTP/1.0\nhost: [2001:db8::1]\n\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];

    private static readonly byte[][] Fragments =
    [
        [0], [1], [22, 3, 1], [0, 0], [0, 16], [255, 255], [0x40, 0], .. ((string[])
        [
            "\r\n", "\n", "\r", " ", ":", "%", "%2", "%41", "?", "&", "=", ";", "//", "Host: b\r\n", "HTTP/1.1", "PROXY ", "UNKNOWN",
            "1.2.3.4", "::1", "65536",
        ])
        .Select(Encoding.Latin1.GetBytes),
    ];

    private readonly HashKey _key = Key("sni", "source-net");

    private readonly HashKey _requestKey = Key("http-path", "http-path:2", "http-header:x-room", "http-cookie:sid", "http-query:room");

    [Test]
    public void Mutated_hellos_are_answered()
    {
        byte[][] seeds =
        [
            .. HelloSamples.All().Where(s => s.Bytes.Length < 2000).Select(s => s.Bytes),
            .. HelloSamples.All().Where(s => s.Bytes.Length < 600).Select(s => Answer.Reframe(s.Bytes, 60)).OfType<byte[]>(),
            HelloBuilder.Hello(HelloBuilder.ServerName("a.test", "b.test"), HelloBuilder.Alpn("h2", "http/1.1")),
        ];
        Check(seeds, ReadHello);
    }

    [Test]
    public void Mutated_requests_are_answered() => Check([.. Requests.Select(Encoding.Latin1.GetBytes)], ReadRequest);

    [Test]
    public void Mutated_PROXY_headers_are_answered()
    {
        byte[] written = new byte[200];
        int length = ProxyHeaderWriter.WriteV2(Client, "a.test"u8, "h2"u8, "id"u8, written);
        byte[][] seeds =
        [
            .. ProxyVectorTests.All().Where(v => v.Bytes.Length < 2000).Select(v => v.Bytes),
            written[..length],
            [.. "PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 65535 1\r\npayload"u8],
        ];
        Check(seeds, ReadProxy);
    }

    private static void Check(byte[][] seeds, Func<byte[], InspectionOutcome> read)
    {
        Random random = new(Seed);
        Dictionary<InspectionOutcome, int> outcomes = [];
        TimeSpan start = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < Rounds; i++)
        {
            byte[] bytes = Mutate(seeds[random.Next(seeds.Length)], seeds[random.Next(seeds.Length)], random);
            try
            {
                InspectionOutcome outcome = read(bytes);
                outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
            }
            catch (Exception fault) when (fault is not ResultStateException)
            {
                Assert.Fail($"{fault}: {Convert.ToHexString(bytes)}");
            }
        }

        Assert.That(outcomes.GetValueOrDefault(InspectionOutcome.Parsed), Is.GreaterThan(Rounds / 50), "some stay valid");
        Assert.That(outcomes.GetValueOrDefault(InspectionOutcome.Invalid), Is.GreaterThan(Rounds / 50), "some become invalid");
        Assert.That(Environment.CpuUsage.TotalTime - start, Is.LessThan(Bound));
    }

    private InspectionOutcome ReadHello(byte[] bytes)
    {
        byte[] scratch = new byte[ClientHello.ScratchLength(Math.Min(bytes.Length, Limit))];
        InspectionResult result = ClientHello.TryParse(bytes, Limit, scratch, out ClientHello hello);
        Answer.CheckNeeded(result, bytes.Length, Limit);
        Assert.That(hello.ServerName.Length, Is.LessThanOrEqualTo(ServerNames.Longest));
        _ = hello.Alpn.Contains("h2"u8);
        byte[] buffer = new byte[_key.BufferLength(bytes.Length)];
        _key.Write(Client, new Inspected(hello), buffer, out bool isMissing);
        Assert.That(isMissing, Is.EqualTo(hello.ServerName.IsEmpty));
        return result.Outcome;
    }

    private InspectionOutcome ReadRequest(byte[] bytes)
    {
        InspectionResult result = RequestHead.TryParse(bytes, Limit, out RequestHead head);
        Answer.CheckNeeded(result, bytes.Length, Limit);
        if (result.Outcome == InspectionOutcome.Parsed)
        {
            Assert.That(head.Length, Is.LessThanOrEqualTo(bytes.Length));
            InspectionResult shorter = RequestHead.TryParse(bytes.AsSpan(0, head.Length - 1), Limit, out _);
            Assert.That(shorter.Outcome, Is.EqualTo(InspectionOutcome.NeedMore));
            byte[] buffer = new byte[_requestKey.BufferLength(head.Length)];
            _requestKey.Write(Client, new Inspected(head), buffer, out _);
        }

        return result.Outcome;
    }

    private static InspectionOutcome ReadProxy(byte[] bytes)
    {
        InspectionResult result = ProxyHeader.TryParse(bytes, out ProxyHeader header);
        Answer.CheckNeeded(result, bytes.Length, ProxyHeader.Longest);
        Assert.That(header.Length, Is.LessThanOrEqualTo(bytes.Length));
        _ = header.Values.Authority.Length + header.Values.Alpn.Length + header.Values.UniqueId.Length;
        return result.Outcome;
    }

    private static HashKey Key(params string[] fields) => new(
        TupleFields.None,
        fields.Select(text => HashKeyField.TryParse(text, out HashKeyField? field) ? field : throw new ArgumentException(text)));

    private static byte[] Mutate(byte[] bytes, byte[] other, Random random)
    {
        List<byte> mutated = [.. bytes];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(mutated.Count + 1);
            int length = Math.Min(random.Next(1, 9), mutated.Count - at);
            switch (random.Next(6))
            {
                case 0:
                    mutated.RemoveRange(at, length);
                    break;
                case 1:
                    mutated.InsertRange(at, Fragments[random.Next(Fragments.Length)]);
                    break;
                case 2:
                    mutated.InsertRange(at, mutated.GetRange(at, length));
                    break;
                case 3:
                    mutated.InsertRange(at, other.AsSpan(random.Next(other.Length + 1)));
                    break;
                default:
                    if (at < mutated.Count) mutated[at] = (byte)random.Next(256);
                    break;
            }
        }

        return [.. mutated];
    }
}
