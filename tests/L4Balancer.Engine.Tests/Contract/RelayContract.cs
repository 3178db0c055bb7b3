using System.Net.Sockets;
using System.Text;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Bytes go both ways, unchanged and in order, whoever begins.</summary>
internal abstract class RelayContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int MiB = 1024 * 1024;

    [Test]
    public async Task Memory_for_peers_that_do_not_read_is_bounded_and_no_byte_is_lost()
    {
        const int Readers = 40;
        const long Length = 8 * 1024 * 1024;
        const long Limit = 512 * 1024;
        var held = new HeldMemory(Limit);
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), held: held);
        List<(Peer Client, Task<string> Sent)> slow = [];
        for (int i = 0; i < Readers; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            slow.Add((client, SendAndFinishAsync(server, i, Length)));
        }

        // Each holds what one read returns, or a pipe, where nothing bounds the sum.
        await Patience.UntilStill(() => (int)(rig.Engine.HeldBytes / 1024), TimeSpan.FromMilliseconds(300));
        Assert.That(held.Used, Is.InRange(1, Limit + (Readers * 4096) + (2 * 64 * 1024)));

        (Peer fast, Peer answering) = await OpenAsync(rig, backend);
        Task<string> sending = answering.SendPatternAsync(1000, Length);
        Assert.That((await fast.ReceiveAsync((int)Length)).Length, Is.EqualTo(Length), "one that reads goes on");
        await sending;

        foreach ((Peer client, Task<string> sent) in slow)
        {
            Received received = await client.ReceiveAllAsync();
            Assert.That((received.End, received.Digest), Is.EqualTo((StreamEnd.Fin, await sent)));
            client.Finish();
        }

        await Patience.Until(() => held.Used == 0, "nothing is held any more");
    }

    private static async Task<string> SendAndFinishAsync(Peer peer, int seed, long length)
    {
        string digest = await peer.SendPatternAsync(seed, length);
        peer.Finish();
        return digest;
    }

    [Test]
    public async Task Bytes_arrive_unchanged_both_ways_at_once([Values(1, 20, 300)] int seed)
    {
        TestBackend backend = Backend();
        (Peer client, Peer server) = await OpenAsync(Start(Settings.Pool(backend)), backend);

        await ExchangeAsync(client, server, seed, 24 * MiB);
    }

    /// <summary>Urgent data (RFC 6093) is one byte of the stream with a mark: it stays where it was sent.</summary>
    [Test]
    public async Task An_urgent_byte_is_passed_on_where_it_was_sent([Values] bool byClient)
    {
        TestBackend backend = Backend();
        (Peer client, Peer server) = await OpenAsync(Start(Settings.Pool(backend)), backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        await from.SendAsync("before"u8.ToArray());
        Assert.That(from.Socket.Send("!"u8, SocketFlags.OutOfBand), Is.EqualTo(1));
        await from.SendAsync("after"u8.ToArray());

        Assert.That(Encoding.ASCII.GetString(await to.ReceiveAsync(12)), Is.EqualTo("before!after"));
        await FinishAsync(client, server);
    }

    [Test]
    public async Task An_urgent_byte_that_comes_before_there_is_a_backend_is_passed_on_too()
    {
        TestBackend backend = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(backend));
        Peer client = await ConnectAsync(rig);
        Assert.That(client.Socket.Send("!"u8, SocketFlags.OutOfBand), Is.EqualTo(1));
        await client.SendAsync("after"u8.ToArray());
        await backend.Unblock();
        Peer server = Keep(await backend.AcceptAsync());

        Assert.That(Encoding.ASCII.GetString(await server.ReceiveAsync(6)), Is.EqualTo("!after"));
    }

    [Test]
    public async Task Connections_side_by_side_do_not_mix()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        var exchanges = new List<Task>();
        for (int seed = 100; seed < 108; seed++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            exchanges.Add(ExchangeAsync(client, server, seed, 6 * MiB));
        }

        await Task.WhenAll(exchanges);
    }

    [Test]
    public async Task Every_single_byte_is_passed_on_without_waiting_for_more()
    {
        TestBackend backend = Backend();
        (Peer client, Peer server) = await OpenAsync(Start(Settings.Pool(backend)), backend);

        for (int i = 0; i < 500; i++)
        {
            await client.SendAsync(new[] { (byte)i });
            Assert.That(await server.ReceiveAsync(1), Is.EqualTo(new[] { (byte)i }));
            await server.SendAsync(new[] { (byte)~i });
            Assert.That(await client.ReceiveAsync(1), Is.EqualTo(new[] { (byte)~i }));
        }
    }

    [Test]
    public async Task The_server_may_speak_first()
    {
        TestBackend backend = Backend();
        (Peer client, Peer server) = await OpenAsync(Start(Settings.Pool(backend)), backend);

        await server.SendAsync("220 ready\r\n"u8.ToArray());

        Assert.That(await client.ReceiveAsync(11), Is.EqualTo("220 ready\r\n"u8.ToArray()));
    }

    [Test]
    public async Task What_the_client_sends_before_a_backend_is_connected_arrives()
    {
        TestBackend backend = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(backend) with { ConnectTimeout = TimeSpan.FromSeconds(12) });
        Peer client = await ConnectAsync(rig);
        Task<string> sending = client.SendPatternAsync(7, MiB);
        await Patience.Until(() => rig.Listener.Pending == 1 && client.Sent > 0, "it is pending, and bytes wait");

        await backend.Unblock();
        Peer server = Keep(await backend.AcceptAsync());
        Task<Received> receiving = server.ReceiveAllAsync();
        string digest = await sending;
        client.Finish();

        Assert.That(await receiving, Is.EqualTo(new Received(MiB, digest, StreamEnd.Fin)));
    }

    [Test]
    public async Task A_request_that_ends_before_a_backend_is_connected_is_answered()
    {
        TestBackend backend = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(backend) with { ConnectTimeout = TimeSpan.FromSeconds(12) });
        Peer client = await ConnectAsync(rig);
        await client.SendAsync("question"u8.ToArray());
        client.Finish();
        await Patience.Until(() => rig.Listener.Pending == 1, "it is pending");

        await backend.Unblock();
        Peer server = Keep(await backend.AcceptAsync());
        Received question = await server.ReceiveAllAsync();
        await server.SendAsync("answer"u8.ToArray());
        server.Finish();

        Received answer = await client.ReceiveAllAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((question.Bytes, question.End), Is.EqualTo((8, StreamEnd.Fin)));
            Assert.That((answer.Bytes, answer.End), Is.EqualTo((6, StreamEnd.Fin)));
        }
    }

    [Test]
    public async Task Clients_and_backends_may_speak_IPv6()
    {
        TestBackend backend = Backend("::1");
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("[::1]:0"));
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        await ExchangeAsync(client, server, 6, MiB);
    }

    private static async Task ExchangeAsync(Peer client, Peer server, int seed, long length)
    {
        Task<Received> up = server.ReceiveAllAsync();
        Task<Received> down = client.ReceiveAllAsync();
        Task<string> toServer = SendAsync(client, seed, length);
        Task<string> toClient = SendAsync(server, seed + 1, length);

        Assert.That(await up, Is.EqualTo(new Received(length, await toServer, StreamEnd.Fin)));
        Assert.That(await down, Is.EqualTo(new Received(length, await toClient, StreamEnd.Fin)));
    }

    private static async Task<string> SendAsync(Peer from, int seed, long length)
    {
        string digest = await from.SendPatternAsync(seed, length);
        from.Finish();
        return digest;
    }
}
