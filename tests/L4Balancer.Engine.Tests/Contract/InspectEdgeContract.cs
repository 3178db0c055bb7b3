using System.Buffers.Binary;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>First bytes under pressure and at the edges: no memory, a reload, a deadline, a FIN that comes at the wrong moment.</summary>
internal abstract class InspectEdgeContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const string Name = "room.chat.example.com";

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly byte[] Header = "PROXY TCP4 192.0.2.1 198.51.100.2 123 456\r\n"u8.ToArray();
    private static readonly byte[] Payload = "payload"u8.ToArray();

    [Test]
    public async Task With_no_memory_left_a_hello_in_pieces_is_read_to_the_end()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Inspecting(InspectKind.Tls), held: new HeldMemory(1));
        byte[] hello = FirstMessage.Hello(Name);
        Peer client = await ConnectAsync(rig);
        await client.SendByteByByteAsync(hello);
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(hello.Length), Is.EqualTo(hello));
        await client.SendAsync(Payload);
        Assert.That(await server.ReceiveAsync(Payload.Length), Is.EqualTo(Payload));
        await FinishAsync(client, server);
    }

    [Test]
    public async Task With_no_memory_left_a_client_that_waits_can_be_closed([Values] bool stop)
    {
        Rig rig = Start(Settings.Pool(Backend()), Inspecting(InspectKind.Tls), held: new HeldMemory(1));
        Peer client = await ConnectAsync(rig);
        await client.SendByteByByteAsync(FirstMessage.Hello(Name).AsMemory(..20));
        await Patience.Until(() => rig.Listener.Pending == 1, "it is accepted");
        Task stopping = Task.CompletedTask;
        if (stop)
        {
            stopping = rig.Engine.StopAsync(Minute, CancellationToken.None);
        }
        else
        {
            rig.Engine.Close(rig.List().Single().Id, CloseReason.Admin);
        }

        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(stop ? CloseReason.Shutdown : CloseReason.Admin));
        await stopping.Soon();
    }

    [Test]
    public async Task At_the_deadline_bytes_that_are_no_event_decide_too()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Inspecting(InspectKind.Tls) with { InspectTimeout = TimeSpan.FromMilliseconds(500) });

        // After the first byte the header of the record is waited for, and the second one already shows that this is no TLS.
        byte[] first = [22, 99];
        Peer client = await ConnectAsync(rig);
        await client.SendSplitAsync(first, 1);
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(first.Length), Is.EqualTo(first));
    }

    [Test]
    public async Task A_reload_that_reads_something_else_has_the_bytes_read_again()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Inspecting(InspectKind.Http));
        byte[] request = FirstMessage.Request("/rooms/7");
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(request.AsMemory(..20));
        await Patience.Until(() => rig.Listener.Pending == 1, "it is accepted");
        rig.Publish(Settings.Config(
            Settings.Pool(backend), Inspecting(InspectKind.Tls) with { InspectFailed = InspectFailed.Refuse }));
        await client.SendAsync(request.AsMemory(20..));
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.InspectInvalid));
    }

    [Test]
    public async Task Payload_after_the_longest_header_is_not_missed_behind_a_FIN()
    {
        (Rig rig, TestBackend backend) = StartQueueing();
        Peer first = await ConnectAsync(rig);
        await first.SendAsync(Header);
        Keep(await backend.AcceptAsync());

        // Queued behind the first one, where a client that has finished without a byte gives up its place.
        byte[] longest = LongestHeader();
        Peer client = await ConnectAsync(rig);
        await client.SendAsync((byte[])[.. longest, .. Payload]);
        client.Finish();
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(Payload.Length), Is.EqualTo(Payload));
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
    }

    [Test]
    public async Task A_client_that_finishes_after_its_header_gives_up_its_place([Values] bool atOnce)
    {
        (Rig rig, _) = StartQueueing();
        for (int i = 0; i < 30; i++)
        {
            await (await ConnectAsync(rig)).SendAsync(Header);
        }

        await Patience.Until(() => rig.Listener.Pending >= 28, "a queue of half a minute");
        for (int i = 0; i < 40; i++)
        {
            Peer client = await ConnectAsync(rig);
            await client.SendAsync(Header);
            if (!atOnce)
            {
                await Patience.Until(() => client.SendQueueIsEmpty, "the header is there");
            }

            client.Finish();
            Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientClosed));
        }
    }

    [Test]
    [Platform("Linux")]
    public async Task Urgent_data_in_a_head_holds_nothing_up([Values(InspectKind.Tls, InspectKind.Http)] InspectKind kind)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Inspecting(kind));
        byte[] head = kind == InspectKind.Tls ? FirstMessage.Hello(Name) : FirstMessage.Request("/rooms/7");
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(head.AsMemory(..12));
        Assert.That(client.Socket.Send(head.AsSpan(12, 1), SocketFlags.OutOfBand), Is.EqualTo(1));
        await client.SendAsync(head.AsMemory(13..));
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(head.Length), Is.EqualTo(head));
    }

    [Test]
    public async Task A_long_head_in_many_pieces_is_read_to_the_end()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Inspecting(InspectKind.Http));
        byte[] head = FirstMessage.Request($"/{new string('x', 12_000)}");
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(head.AsMemory(..^60));
        await client.SendByteByByteAsync(head.AsMemory(^60..));
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(head.Length), Is.EqualTo(head));
    }

    [Test]
    public async Task Clients_that_go_on_sending_single_bytes_are_each_refused_at_their_timeout()
    {
        const int count = 300;
        TimeSpan timeout = TimeSpan.FromSeconds(1.5);
        Rig rig = Start(Settings.Pool(Backend()), Inspecting(InspectKind.Http) with { InspectTimeout = timeout });
        byte[] head = FirstMessage.Request($"/{new string('x', 2000)}");
        List<Task> dawdling = [];
        for (int i = 0; i < count; i++)
        {
            dawdling.Add(DawdleAsync(await ConnectAsync(rig), head));
        }

        for (int i = 0; i < count; i++)
        {
            ConnectionRecord end = await rig.Records.NextEndAsync();
            Assert.That(end.Reason, Is.EqualTo(CloseReason.InspectTimeout));
            Assert.That(end.TotalTime, Is.InRange(timeout - TimeSpan.FromMilliseconds(20), timeout + TimeSpan.FromSeconds(2)));
        }

        await Task.WhenAll(dawdling).Soon();
    }

    [Test]
    public async Task The_timeout_holds_for_those_whose_header_comes_at_the_last_moment()
    {
        TimeSpan timeout = TimeSpan.FromMilliseconds(400);
        Rig rig = Start(
            Settings.Pool(Backend()), Inspecting(InspectKind.Tls) with { InspectTimeout = timeout, AcceptProxyFrom = [Range("127.0.0.0/8")] });
        List<Task> clients = [];
        for (int i = 0; i < 60; i++)
        {
            clients.Add(SendLateAsync(await ConnectAsync(rig), timeout + TimeSpan.FromMilliseconds((i % 12) - 8)));
        }

        await Task.WhenAll(clients).Soon();
        await Patience.Until(() => rig.Listener.Pending == 0, "all are refused", TimeSpan.FromSeconds(5));
        Assert.That(
            rig.Listener.Refused[CloseReason.InspectTimeout] + rig.Listener.Refused[CloseReason.ProxyHeaderInvalid], Is.EqualTo(clients.Count));
    }

    private static async Task DawdleAsync(Peer client, byte[] head)
    {
        try
        {
            for (int i = 0; i < head.Length; i++)
            {
                await client.SendAsync(head.AsMemory(i, 1));

                // The pace of a slow client, not a wait for anything.
                await Task.Delay(50);
            }
        }
        catch (SocketException)
        {
            return;
        }

        Assert.Fail("It was not refused.");
    }

    private static async Task SendLateAsync(Peer client, TimeSpan after)
    {
        // The moment at which it sends is what is varied here; whatever it meets must be right.
        await Task.Delay(after);
        try
        {
            await client.SendAsync(Header);
        }
        catch (SocketException)
        {
            // It has been refused already.
        }
    }

    private static ListenerSettings Inspecting(InspectKind kind) =>
        Settings.Listener("127.0.0.1:0") with { Inspect = kind, InspectTimeout = Minute };

    // A connection a second, and a place in the queue is given up by a client that has finished.
    private (Rig Rig, TestBackend Backend) StartQueueing()
    {
        TestBackend backend = Backend();
        return (
            Start(
                Settings.Pool(backend) with { NewConnectionRate = 1, AbortOnClose = true, ConnectTimeout = Minute },
                Settings.Listener("127.0.0.1:0") with { AcceptProxyFrom = [Range("127.0.0.0/8")], InspectTimeout = Minute }),
            backend);
    }

    // Version 2 with one value, PP2_TYPE_NOOP, that fills it.
    private static byte[] LongestHeader()
    {
        byte[] header = new byte[Core.Inspection.ProxyHeader.Longest];
        byte[] start =
        [
            .. "\r\n\r\n\0\r\nQUIT\n"u8, 0x21, 0x11, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, 0, 123, 1, 200, 4,
        ];
        start.CopyTo(header, 0);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(14), (ushort)(header.Length - 16));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(start.Length), (ushort)(header.Length - start.Length - 2));
        return header;
    }

    private static Cidr Range(string text) => Cidr.TryParse(text, out Cidr range) ? range : throw new FormatException(text);
}
