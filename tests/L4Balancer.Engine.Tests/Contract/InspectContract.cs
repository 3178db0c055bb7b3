using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Tests;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>The first bytes of a client are looked at, decide where it goes, and arrive there untouched.</summary>
internal abstract class InspectContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const string Name = "room.chat.example.com";

    private static readonly byte[] Payload = "and what follows"u8.ToArray();

    [TestCase(int.MaxValue, 1)]
    [TestCase(3, 13)]
    public async Task A_hello_split_anywhere_goes_by_its_name_and_arrives_untouched(int recordLength, int step)
    {
        (Rig rig, _, TestBackend named) = StartRouted(InspectKind.Tls);
        byte[] hello = FirstMessage.Hello(Name, recordLength: recordLength);
        for (int at = 1; at < hello.Length; at += step)
        {
            Peer client = await ConnectAsync(rig);
            await client.SendSplitAsync(hello, at);
            await ExpectAsync(client, named, hello);
        }
    }

    [Test]
    public async Task A_head_split_anywhere_goes_by_its_path_and_arrives_untouched()
    {
        (Rig rig, _, TestBackend named) = StartRouted(InspectKind.Http);
        byte[] head = FirstMessage.Request("/rooms/7");
        for (int at = 1; at < head.Length; at++)
        {
            Peer client = await ConnectAsync(rig);
            await client.SendSplitAsync(head, at);
            await ExpectAsync(client, named, head);
        }
    }

    [TestCase(InspectKind.Tls)]
    [TestCase(InspectKind.Http)]
    public async Task A_client_that_sends_single_bytes_is_read_to_the_end(InspectKind kind)
    {
        (Rig rig, _, TestBackend named) = StartRouted(kind);
        byte[] first = First(kind);
        Peer client = await ConnectAsync(rig);
        await client.SendByteByByteAsync(first);
        await ExpectAsync(client, named, first);
    }

    [TestCase(InspectKind.Tls)]
    [TestCase(InspectKind.Http)]
    public async Task What_follows_in_the_same_segment_and_later_is_relayed_both_ways(InspectKind kind)
    {
        const int length = 4 * 1024 * 1024;
        (Rig rig, _, TestBackend named) = StartRouted(kind);
        byte[] first = [.. First(kind), .. Payload];
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(first);
        Peer server = Keep(await named.AcceptAsync());
        Assert.That(await server.ReceiveAsync(first.Length), Is.EqualTo(first));

        Task<Received> atServer = server.ReceiveAllAsync();
        string sent = await client.SendPatternAsync(3, length);
        client.Finish();
        Assert.That(await atServer, Is.EqualTo(new Received(length, sent, StreamEnd.Fin)));
        Task<Received> atClient = client.ReceiveAllAsync();
        string answer = await server.SendPatternAsync(4, length);
        server.Finish();
        Assert.That(await atClient, Is.EqualTo(new Received(length, answer, StreamEnd.Fin)));

        ConnectionRecord record = await rig.Records.NextEndAsync();
        Assert.That((record.BytesToBackend, record.BytesToClient), Is.EqualTo((length + (long)first.Length, (long)length)));
        Assert.That(kind == InspectKind.Tls ? record.Names?.Sni : record.Names?.Host, Is.Not.Null);
    }

    [TestCase(InspectKind.Tls, "SSH-2.0-OpenSSH_9.2\r\n")]
    [TestCase(InspectKind.Http, "\u0016\u0003\u0001")]
    public async Task Another_protocol_goes_to_the_pool_of_the_listener_at_once(InspectKind kind, string first)
    {
        (Rig rig, TestBackend other, _) = StartRouted(kind, l => l with { InspectTimeout = TimeSpan.FromMinutes(1) });
        byte[] bytes = System.Text.Encoding.Latin1.GetBytes(first);
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(bytes);
        await ExpectAsync(client, other, bytes);
    }

    [TestCase(InspectKind.Tls)]
    [TestCase(InspectKind.Http)]
    public async Task Another_protocol_is_refused_where_the_listener_says_so(InspectKind kind)
    {
        (Rig rig, _, _) = StartRouted(kind, l => l with { InspectFailed = InspectFailed.Refuse });
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(new byte[] { 0, 1, 2 });
        await ExpectRefusedAsync(rig, client, CloseReason.InspectInvalid);
    }

    [Test]
    public async Task A_client_that_sends_nothing_or_too_little_is_refused_at_its_timeout([Values(0, 1, 40)] int sent)
    {
        TimeSpan timeout = TimeSpan.FromMilliseconds(300);
        (Rig rig, _, _) = StartRouted(InspectKind.Tls, l => l with { InspectTimeout = timeout });
        long start = Stopwatch.GetTimestamp();
        Peer client = await ConnectAsync(rig);
        await client.SendByteByByteAsync(First(InspectKind.Tls).AsMemory(0, sent));
        await ExpectRefusedAsync(rig, client, CloseReason.InspectTimeout);
        Assert.That(Stopwatch.GetElapsedTime(start), Is.InRange(timeout - TimeSpan.FromMilliseconds(20), Patience.Limit));
    }

    [Test]
    public async Task A_client_that_finishes_without_a_byte_has_closed()
    {
        (Rig rig, _, _) = StartRouted(InspectKind.Tls);
        Peer client = await ConnectAsync(rig);
        client.Finish();
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientClosed));
    }

    [Test]
    public async Task A_client_that_finishes_before_the_end_of_its_head_goes_to_the_pool_of_the_listener(
        [Values(InspectKind.Tls, InspectKind.Http)] InspectKind kind)
    {
        (Rig rig, TestBackend other, _) = StartRouted(kind, l => l with { InspectTimeout = TimeSpan.FromMinutes(1) });
        byte[] part = First(kind)[..20];
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(part);
        client.Finish();
        Peer server = Keep(await other.AcceptAsync());
        Assert.That(await server.ReceiveAsync(part.Length), Is.EqualTo(part));
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
    }

    [Test]
    public async Task A_client_that_resets_is_gone([Values(0, 20)] int sent)
    {
        (Rig rig, _, _) = StartRouted(InspectKind.Tls, l => l with { InspectTimeout = TimeSpan.FromMinutes(1) });
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.Listener.Pending == 1, "it is accepted");
        await client.SendAsync(First(InspectKind.Tls).AsMemory(0, sent));
        client.Reset();
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientReset));
    }

    [Test]
    public async Task It_can_be_closed_and_the_engine_stopped_while_it_waits()
    {
        (Rig rig, _, _) = StartRouted(InspectKind.Tls, l => l with { InspectTimeout = TimeSpan.FromMinutes(1) });
        Peer[] clients = [await ConnectAsync(rig), await ConnectAsync(rig)];
        await Patience.Until(() => rig.Listener.Pending == 2, "both are accepted");
        Assert.That(rig.Engine.Close(rig.List()[0].Id, CloseReason.Admin), Is.True);
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Admin));
        await rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Shutdown));
        foreach (Peer client in clients)
        {
            Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        }
    }

    [Test]
    public async Task A_reload_meanwhile_decides_and_without_its_listener_the_old_one_does([Values] bool removed)
    {
        (Rig rig, TestBackend other, TestBackend named) = StartRouted(InspectKind.Tls);
        byte[] hello = First(InspectKind.Tls);
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(hello.AsMemory(0, 30));
        await Patience.Until(() => rig.Listener.Pending == 1, "it is accepted");
        BalancerConfig config = Config(InspectKind.Tls, other, named, l => l with { Routes = [] });
        rig.Publish(removed ? config with { Listeners = [] } : config);
        await client.SendAsync(hello.AsMemory(30));
        await ExpectAsync(client, removed ? named : other, hello);
    }

    [Test]
    public async Task Two_hundred_that_dawdle_hurt_no_other()
    {
        (Rig rig, _, TestBackend named) = StartRouted(InspectKind.Tls, l => l with { InspectTimeout = TimeSpan.FromSeconds(2) });
        byte[] hello = First(InspectKind.Tls);
        var dawdlers = new List<Peer>();
        for (int i = 0; i < 200; i++)
        {
            Peer dawdler = await ConnectAsync(rig);
            await dawdler.SendAsync(hello.AsMemory(0, 1 + (i % 40)));
            dawdlers.Add(dawdler);
        }

        for (int i = 0; i < 20; i++)
        {
            Peer client = await ConnectAsync(rig);
            await client.SendAsync(hello);
            await ExpectAsync(client, named, hello);
        }

        foreach (Peer dawdler in dawdlers)
        {
            Assert.That((await dawdler.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        }

        await Patience.Until(() => rig.Listener.Refused[CloseReason.InspectTimeout] == 200, "each is refused at its timeout");
    }

    [Test]
    public async Task Hellos_of_the_wild_arrive_untouched_and_have_the_name_that_others_read()
    {
        if (TestData.Find("clienthello") is not { } folder)
        {
            Assert.Ignore(TestData.Missing("clienthello"));
            return;
        }

        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { Inspect = InspectKind.Tls });
        int names = 0;
        int number = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, "manifest.jsonl")))
        {
            JsonElement sample = JsonDocument.Parse(line).RootElement;
            string nginx = sample.GetProperty("nginx_sni").GetString() ?? "";
            bool agreed = nginx.Length > 0 && nginx.All(static c => c is > ' ' and <= '~') && nginx == sample.GetProperty("haproxy_sni").GetString();
            byte[] bytes = await File.ReadAllBytesAsync(Path.Combine(folder, sample.GetProperty("file").GetString()!));
            if (bytes.Length is 0 or > 16 * 1024 || (!agreed && number++ % 8 > 0))
            {
                continue;
            }

            Peer client = await ConnectAsync(rig);
            await client.SendSplitAsync(bytes, bytes.Length / 2);
            client.Finish();
            Received received = await client.ReceiveAllAsync();
            string digest = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(bytes));
            Assert.That(received, Is.EqualTo(new Received(bytes.Length, digest, StreamEnd.Fin)), line);
            ConnectionRecord record = await rig.Records.NextEndAsync();
            if (agreed)
            {
                names++;

                // An address is no name (RFC 6066, 3), though others take it for one.
                bool isName = !Core.Addressing.HostAddress.TryParse(nginx, out _);
                Assert.That(record.Names?.Sni, isName ? Is.EqualTo(nginx.TrimEnd('.')).IgnoreCase : Is.Null, line);
            }
        }

        Assert.That(names, Is.GreaterThan(20));
    }

    private static byte[] First(InspectKind kind) => kind == InspectKind.Tls ? FirstMessage.Hello(Name) : FirstMessage.Request("/rooms/7");

    private static BalancerConfig Config(
        InspectKind kind, TestBackend other, TestBackend named, Func<ListenerSettings, ListenerSettings>? change = null)
    {
        ListenerSettings listener = Settings.Listener("127.0.0.1:0") with
        {
            Inspect = kind,
            Routes =
            [
                kind == InspectKind.Tls
                    ? new RouteSettings { Sni = ["*.chat.example.com"], Pool = "named" }
                    : new RouteSettings { Path = ["/rooms/*"], Pool = "named" },
            ],
        };
        return new BalancerConfig
        {
            Listeners = [change?.Invoke(listener) ?? listener],
            Pools = [Settings.Pool(other), Settings.Pool(named) with { Name = "named" }],
        };
    }

    private (Rig Rig, TestBackend Other, TestBackend Named) StartRouted(
        InspectKind kind, Func<ListenerSettings, ListenerSettings>? change = null)
    {
        (TestBackend other, TestBackend named) = (Backend(), Backend());
        return (Start(Config(kind, other, named, change)), other, named);
    }

    // The backend has got exactly these bytes, and gets a single one after them; then the client resets.
    private async Task ExpectAsync(Peer client, TestBackend backend, byte[] bytes)
    {
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(bytes.Length), Is.EqualTo(bytes));
        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        client.Reset();
        Received rest = await server.ReceiveAllAsync();
        Assert.That((rest.Bytes, rest.End), Is.EqualTo((0L, StreamEnd.Reset)));
    }

    private static async Task ExpectRefusedAsync(Rig rig, Peer client, CloseReason reason)
    {
        Received received = await client.ReceiveAllAsync();
        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((received.Bytes, received.End), Is.EqualTo((0L, StreamEnd.Reset)));
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((reason, 0)));
            Assert.That(rig.Listener.Refused[reason], Is.EqualTo(1));
        }
    }
}
