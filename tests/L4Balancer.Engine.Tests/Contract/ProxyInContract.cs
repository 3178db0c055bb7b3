using System.Text;
using System.Text.Json;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Tests;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>The PROXY header of a trusted peer is required and consumed, and names the client; from others it is payload.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class ProxyInContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const string RealClient = "192.0.2.1:123";

    private static readonly byte[] Payload = "payload"u8.ToArray();
    private static readonly byte[] V1 = "PROXY TCP4 192.0.2.1 198.51.100.2 123 456\r\n"u8.ToArray();
    private static readonly byte[] V2 = HeaderOf(RealClient);

    [Test]
    public async Task Headers_are_accepted_and_refused_as_by_others([Values] bool byteByByte)
    {
        if (TestData.Find("proxy-protocol") is not { } folder)
        {
            Assert.Ignore(TestData.Missing("proxy-protocol"));
            return;
        }

        (Rig rig, TestBackend backend) = StartTrusting(l => l with { InspectTimeout = TimeSpan.FromSeconds(30) });
        (int accepted, int rejected) = (0, 0);
        foreach (string line in File.ReadLines(Path.Combine(folder, "vectors.jsonl")))
        {
            JsonElement vector = JsonDocument.Parse(line).RootElement;
            byte[] bytes = Convert.FromHexString(vector.GetProperty("hex").GetString()!);
            string expected = vector.GetProperty("peer_expect").GetString()!;
            string? source = vector.GetProperty("peer_src").GetString();
            Peer client = await ConnectAsync(rig);
            if (expected == "reject" || HasWrongChecksum(bytes))
            {
                if (await TrySendAsync(client, bytes, byteByByte))
                {
                    Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset), line);
                }

                Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ProxyHeaderInvalid), line);
                rejected++;
            }
            else if (expected is "accept" or "payload-not-tlv")
            {
                await SendAsync(client, [.. bytes, .. Payload], byteByByte);
                ProxyHeader.TryParse(bytes, out ProxyHeader header);
                byte[] rest = [.. bytes[header.Length..], .. Payload];
                Assert.That(rest.Length > Payload.Length, Is.EqualTo(expected == "payload-not-tlv"), line);
                Peer server = Keep(await backend.AcceptAsync());
                Assert.That(await server.ReceiveAsync(rest.Length), Is.EqualTo(rest), line);
                client.Finish();
                Assert.That((await server.ReceiveAllAsync()).Bytes, Is.Zero, line);
                server.Finish();
                ConnectionRecord record = await rig.Records.NextEndAsync();
                Assert.That(record.Tuple.Source.ToString(), Is.EqualTo(source is null ? client.Local.ToString() : Bracketed(source)), line);
                Assert.That(record.BytesToBackend, Is.EqualTo(rest.Length), line);
                accepted++;
            }
        }

        Assert.That((accepted, rejected), Is.EqualTo((10, 31)));
    }

    [TestCase(1)]
    [TestCase(2)]
    public async Task A_header_split_anywhere_is_consumed_exactly(int version)
    {
        (Rig rig, TestBackend backend) = StartTrusting();
        byte[] header = version == 1 ? V1 : V2;
        byte[] all = [.. header, .. Payload];
        for (int at = 1; at < all.Length; at++)
        {
            Peer client = await ConnectAsync(rig);
            await client.SendSplitAsync(all, at);
            Peer server = Keep(await backend.AcceptAsync());
            Assert.That(await server.ReceiveAsync(Payload.Length), Is.EqualTo(Payload));
            Assert.That(rig.List().Single().Tuple.Source, Is.EqualTo(Settings.Endpoint(RealClient)));
            client.Reset();
            Assert.That((await server.ReceiveAllAsync()).Bytes, Is.Zero);
            await rig.AtRestAsync();
        }
    }

    [Test]
    public async Task From_others_it_is_payload()
    {
        (Rig rig, TestBackend backend) = StartTrusting(l => l with { AcceptProxyFrom = [Range("10.0.0.0/8"), Cidr.Unix] });
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(V1);
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(V1.Length), Is.EqualTo(V1));
        Assert.That(rig.List().Single().Tuple.Source, Is.EqualTo(client.Local));
    }

    [TestCase("")]
    [TestCase("PROXY TCP4 192.0.2.1")]
    public async Task Without_it_the_client_is_refused_at_the_timeout(string sent)
    {
        (Rig rig, _) = StartTrusting(l => l with { InspectTimeout = TimeSpan.FromMilliseconds(200) });
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(Encoding.ASCII.GetBytes(sent));
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ProxyHeaderInvalid));
    }

    [Test]
    public async Task A_proxy_that_checks_the_port_and_leaves_has_closed()
    {
        (Rig rig, _) = StartTrusting();
        Peer client = await ConnectAsync(rig);
        client.Finish();
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientClosed));
    }

    [Test]
    public async Task Lists_and_limits_are_those_of_the_real_client()
    {
        (Rig rig, TestBackend backend) = StartTrusting(l => l with { Deny = [Range("192.0.2.66")], MaxConnectionsPerSource = 1 });
        await ExpectReasonAsync(rig, "192.0.2.66:1", CloseReason.Denied);
        Peer first = await EnterAsync(rig, backend, "192.0.2.1:1");
        await EnterAsync(rig, backend, "192.0.2.2:1");
        await ExpectReasonAsync(rig, "192.0.2.1:2", CloseReason.Limit);
        first.Reset();
        await rig.Records.NextEndAsync();
        await EnterAsync(rig, backend, "192.0.2.1:3");
    }

    [Test]
    public async Task The_hello_after_the_header_decides_in_the_same_segment_and_later([Values] bool together)
    {
        (TestBackend other, TestBackend named) = (Backend(), Backend());
        Rig rig = Start(new BalancerConfig
        {
            Listeners =
            [
                Trusting(Settings.Listener("127.0.0.1:0")) with
                {
                    Inspect = InspectKind.Tls,
                    Routes = [new RouteSettings { Sni = ["a.example.com"], Source = [Range("192.0.2.1")], Pool = "named" }],
                },
            ],
            Pools = [Settings.Pool(other), Settings.Pool(named) with { Name = "named" }],
        });
        byte[] hello = FirstMessage.Hello("a.example.com");
        Peer client = await ConnectAsync(rig);
        await client.SendSplitAsync(new byte[][] { V2, hello }.SelectMany(b => b).ToArray(), together ? V2.Length + hello.Length : V2.Length);
        Peer server = Keep(await named.AcceptAsync());
        Assert.That(await server.ReceiveAsync(hello.Length), Is.EqualTo(hello));
        ConnectionRecord record = rig.List().Single();
        Assert.That((record.Tuple.Source, record.Names?.Sni), Is.EqualTo((Settings.Endpoint(RealClient), "a.example.com")));
    }

    [Test]
    public async Task A_proxy_at_a_UNIX_socket_names_its_client_too()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4b-");
        try
        {
            TestBackend backend = Backend();
            Rig rig = Start(
                Settings.Pool(backend),
                new ListenerSettings
                {
                    Name = "listener",
                    Bind = [Endpoint.OfUnix($"{folder.FullName}/l")],
                    Pool = "pool",
                    AcceptProxyFrom = [Cidr.Unix],
                });
            Peer client = await ConnectAsync(rig);
            await client.SendByteByByteAsync(V1);
            await client.SendAsync(Payload);
            Peer server = Keep(await backend.AcceptAsync());
            Assert.That(await server.ReceiveAsync(Payload.Length), Is.EqualTo(Payload));
            Assert.That(rig.List().Single().Tuple.Source, Is.EqualTo(Settings.Endpoint(RealClient)));
            client.Dispose();
            server.Dispose();
            await rig.AtRestAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // Two samples have "4321" where the CRC32c should be, which others do not check.
    private static bool HasWrongChecksum(byte[] bytes) =>
        ProxyHeader.TryParse(bytes, out _) is { Outcome: InspectionOutcome.Invalid } result && result.Reason.Contains("CRC32c", StringComparison.Ordinal);

    private static byte[] HeaderOf(string client)
    {
        byte[] target = new byte[256];
        var tuple = new FourTuple(Settings.Endpoint(client), Settings.Endpoint("198.51.100.2:456"));
        return target[..ProxyHeaderWriter.WriteV2(tuple, "a.example.com"u8, "h2"u8, "1"u8, target)];
    }

    private static Cidr Range(string text) => Cidr.TryParse(text, out Cidr range) ? range : throw new FormatException(text);

    private static string Bracketed(string source)
    {
        int colon = source.LastIndexOf(':');
        return source.IndexOf(':') == colon ? source : $"[{source[..colon]}]{source[colon..]}";
    }

    private static Task SendAsync(Peer client, byte[] bytes, bool byteByByte) =>
        byteByByte ? client.SendByteByByteAsync(bytes) : client.SendAsync(bytes);

    // It is refused at the first byte that does not fit, perhaps before the last is sent: then the sender has seen the reset.
    private static async Task<bool> TrySendAsync(Peer client, byte[] bytes, bool byteByByte)
    {
        try
        {
            await SendAsync(client, byteByByte ? bytes[..Math.Min(bytes.Length, 256)] : bytes, byteByByte);
            client.Finish();
            return true;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }

    private static ListenerSettings Trusting(ListenerSettings listener) => listener with { AcceptProxyFrom = [Range("127.0.0.0/8")] };

    private (Rig Rig, TestBackend Backend) StartTrusting(Func<ListenerSettings, ListenerSettings>? change = null)
    {
        TestBackend backend = Backend();
        ListenerSettings listener = Trusting(Settings.Listener("127.0.0.1:0"));
        return (Start(Settings.Pool(backend), change?.Invoke(listener) ?? listener), backend);
    }

    private async Task<Peer> EnterAsync(Rig rig, TestBackend backend, string real)
    {
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(HeaderOf(real));
        Keep(await backend.AcceptAsync());
        await Patience.Until(() => rig.Records.IsEstablished(Settings.Endpoint(real)), "it is established");
        return client;
    }

    private async Task ExpectReasonAsync(Rig rig, string real, CloseReason reason)
    {
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(HeaderOf(real));
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        ConnectionRecord end = await rig.Records.NextEndAsync();
        Assert.That((end.Reason, end.Tuple.Source), Is.EqualTo((reason, Settings.Endpoint(real))));
    }
}
