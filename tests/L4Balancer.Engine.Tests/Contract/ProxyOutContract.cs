using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Inspection;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Backends get a PROXY header before the first byte of their client.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class ProxyOutContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task Version_1_names_the_client_before_a_backend_speaks_or_the_client_does()
    {
        (Rig rig, TestBackend backend) = StartSending(SendProxy.V1);
        Peer client = await ConnectAsync(rig);
        Peer server = Keep(await backend.AcceptAsync());
        byte[] header = Encoding.ASCII.GetBytes(
            $"PROXY TCP4 127.0.0.1 127.0.0.1 {client.Local.Port} {rig.Address.Port}\r\n");
        Assert.That(await server.ReceiveAsync(header.Length), Is.EqualTo(header));
        await server.SendAsync("hello"u8.ToArray());
        Assert.That(await client.ReceiveAsync(5), Is.EqualTo("hello"u8.ToArray()));
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Version_2_has_what_is_known_and_comes_in_one_write_with_the_hello()
    {
        (Rig rig, TestBackend backend) = StartSending(SendProxy.V2, l => l with { Inspect = InspectKind.Tls });
        byte[] hello = FirstMessage.Hello("Chat.example.com", ["h2"]);
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(hello);
        Peer server = Keep(await backend.AcceptAsync());
        byte[] first = await FirstReadAsync(server);
        Expect(rig, client, first, "chat.example.com", "h2", hello);
        await FinishAsync(client, server);
        ConnectionRecord record = await rig.Records.NextEndAsync();
        Assert.That(record.BytesToBackend, Is.EqualTo(first.Length), "the header counts as well");
    }

    [Test]
    public async Task Of_several_protocols_none_is_known_and_of_a_request_the_host([Values] bool isHttp)
    {
        (Rig rig, TestBackend backend) = StartSending(SendProxy.V2, l => l with { Inspect = isHttp ? InspectKind.Http : InspectKind.Tls });
        byte[] sent = isHttp ? FirstMessage.Request("/", "chat.example.com:80") : FirstMessage.Hello("chat.example.com", ["h2", "http/1.1"]);
        Peer client = await ConnectAsync(rig);
        await client.SendSplitAsync(sent, 10);
        Peer server = Keep(await backend.AcceptAsync());
        Expect(rig, client, await FirstReadAsync(server), "chat.example.com", "", sent);
    }

    [Test]
    public async Task The_client_that_a_header_has_named_is_passed_on()
    {
        (Rig rig, TestBackend backend) = StartSending(
            SendProxy.V1, l => l with { AcceptProxyFrom = [Cidr.TryParse("127.0.0.0/8", out Cidr range) ? range : default] });
        byte[] header = "PROXY TCP6 2001:db8::1 2001:db8::2 123 456\r\n"u8.ToArray();
        Peer client = await ConnectAsync(rig);
        await client.SendAsync((byte[])[.. header, .. "payload"u8]);
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(header.Length + 7), Is.EqualTo((byte[])[.. header, .. "payload"u8]));
    }

    [TestCase(SendProxy.V1, 0)]
    [TestCase(SendProxy.V2, 0)]
    [TestCase(SendProxy.V1, 4096)]
    [TestCase(SendProxy.V2, 4096)]
    public async Task What_a_client_has_sent_before_its_backend_is_connected_follows_complete(SendProxy version, int sendBuffer)
    {
        const int length = 8 * 1024 * 1024;
        TestBackend backend = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(backend) with { SendProxy = version, SendBuffer = new ByteSize(sendBuffer), ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        Task<string> sending = client.SendPatternAsync(5, length);
        await Patience.UntilStill(() => client.Sent, TimeSpan.FromMilliseconds(200));
        await backend.Unblock();
        Peer server = Keep(await backend.AcceptAsync());
        byte[] start = await server.ReceiveAsync(16);
        int rest = version == SendProxy.V2 ? (start[14] * 256) + start[15] : 0;
        await server.ReceiveAsync(rest);
        while (version == SendProxy.V1 && (await server.ReceiveAsync(1))[0] != '\n')
        {
        }

        Task<Received> receiving = server.ReceiveAllAsync();
        string digest = await sending;
        client.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(length, digest, StreamEnd.Fin)));
    }

    [Test]
    public async Task A_client_that_only_finishes_ends_after_the_header()
    {
        (Rig rig, TestBackend backend) = StartSending(SendProxy.V2);
        Peer client = await ConnectAsync(rig);
        client.Finish();
        Peer server = Keep(await backend.AcceptAsync());
        Received received = await server.ReceiveAllAsync();
        Assert.That((received.Bytes > 28, received.End), Is.EqualTo((true, StreamEnd.Fin)));
    }

    private static async Task<byte[]> FirstReadAsync(Peer server)
    {
        byte[] buffer = new byte[4096];
        return buffer[..await server.Socket.ReceiveAsync(buffer.AsMemory()).Soon()];
    }

    private static void Expect(Rig rig, Peer client, byte[] first, string authority, string alpn, byte[] payload)
    {
        InspectionResult result = ProxyHeader.TryParse(first, out ProxyHeader header);
        Assert.That((result.Outcome, header.Version), Is.EqualTo((InspectionOutcome.Parsed, 2)));
        Assert.That(header.Addresses, Is.EqualTo(new FourTuple(client.Local, rig.Address)));
        Assert.That(Encoding.ASCII.GetString(header.Values.Authority), Is.EqualTo(authority));
        Assert.That(Encoding.ASCII.GetString(header.Values.Alpn), Is.EqualTo(alpn));
        Assert.That(Encoding.ASCII.GetString(header.Values.UniqueId), Is.EqualTo($"{rig.List().Single().Id}"));
        Assert.That(header.Values.Find(3).Length, Is.EqualTo(4), "CRC32C, which the parser has checked");
        Assert.That(first[header.Length..], Is.EqualTo(payload));
    }

    private (Rig Rig, TestBackend Backend) StartSending(SendProxy version, Func<ListenerSettings, ListenerSettings>? change = null)
    {
        TestBackend backend = Backend();
        ListenerSettings listener = Settings.Listener("127.0.0.1:0");
        return (Start(Settings.Pool(backend) with { SendProxy = version }, change?.Invoke(listener) ?? listener), backend);
    }
}
