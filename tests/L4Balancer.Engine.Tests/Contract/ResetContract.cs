using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>
/// "Reset by one side": what was received before it is written first; when the send queue is empty, or 5 s have passed, the other side
/// is reset. With nothing waiting, at once. While connecting, the connect is abandoned.
/// </summary>
[Parallelizable(ParallelScope.All)]
internal abstract class ResetContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const long MiB = 1024 * 1024;

    /// <summary>More than a reader with a small buffer takes, and less than all that has to take it together.</summary>
    private const int Unread = 160_000;
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    [Test]
    public async Task A_peer_that_the_kernel_gives_up_is_told_from_one_that_resets([Values] bool client)
    {
        // With TCP_USER_TIMEOUT the kernel gives up a peer that keeps its window closed for as long (tcp(7)): ETIMEDOUT.
        TimeSpan userTimeout = TimeSpan.FromSeconds(1);
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { UserTimeout = client ? TimeSpan.Zero : userTimeout },
            Settings.Listener("127.0.0.1:0") with { UserTimeout = client ? userTimeout : TimeSpan.Zero });
        (Peer near, Peer far) = await OpenAsync(rig, backend);
        (Peer silent, Peer sender) = client ? (near, far) : (far, near);
        silent.Socket.ReceiveBufferSize = 16 * 1024;
        Task sending = SendUntilClosedAsync(sender);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        Assert.That(end.Reason, Is.EqualTo(client ? CloseReason.ClientTimeout : CloseReason.BackendTimeout));
        await sending;
    }

    [Test]
    public async Task A_reset_is_passed_on_as_a_reset([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await client.SendAsync(new byte[10]);
        await server.ReceiveAsync(10);

        (byClient ? client : server).Reset();

        Received received = await (byClient ? server : client).ReceiveAllAsync();
        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((received.Bytes, received.End), Is.EqualTo((0L, StreamEnd.Reset)));
            Assert.That(end.Reason, Is.EqualTo(byClient ? CloseReason.ClientReset : CloseReason.BackendReset));
            Assert.That(end.TotalTime, Is.LessThan(Grace), "nothing was waiting");
        }
    }

    [Test]
    public async Task All_that_came_before_a_reset_reaches_a_reader_that_starts_late([Values] bool byClient, [Values(1, 2)] int seed)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        Task<Received> reading = ReadLateAsync(to);

        string digest = await from.SendPatternAsync(seed, MiB);
        await Patience.Until(() => from.SendQueueIsEmpty, "the engine's kernel has it all");
        from.Reset();

        Assert.That(await reading, Is.EqualTo(new Received(MiB, digest, StreamEnd.Reset)));
        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end.Reason, Is.EqualTo(byClient ? CloseReason.ClientReset : CloseReason.BackendReset));
            Assert.That(byClient ? end.BytesToBackend : end.BytesToClient, Is.EqualTo(MiB));
        }
    }

    [Test]
    public async Task A_side_that_never_reads_is_reset_after_five_seconds([Values] bool byClient)
    {
        TestBackend backend = Backend(receiveBuffer: 16 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        await from.SendPatternAsync(3, Unread);
        await Patience.Until(() => from.SendQueueIsEmpty, "the engine's kernel has it all");

        long start = Stopwatch.GetTimestamp();
        from.Reset();
        await Patience.Until(() => to.IsOver, "the side that never reads is reset");

        Assert.That(Stopwatch.GetElapsedTime(start), Is.InRange(Grace - TimeSpan.FromMilliseconds(100), Grace + TimeSpan.FromSeconds(4)));
        Assert.That(to.PendingError, Is.EqualTo(SocketError.ConnectionReset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(byClient ? CloseReason.ClientReset : CloseReason.BackendReset));
    }

    [Test]
    public async Task A_reset_waits_for_no_side_that_is_reset_itself([Values] bool byClient, [Values(100_000, Unread)] int size)
    {
        const int pairs = 20;
        TestBackend backend = Backend(receiveBuffer: 16 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        List<(Peer From, Peer To)> all = [];
        for (int i = 0; i < pairs; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            client.Socket.ReceiveBufferSize = 16 * 1024;
            all.Add(byClient ? (client, server) : (server, client));
            await all[i].From.SendPatternAsync(i, size);
            await Patience.Until(() => all[i].From.SendQueueIsEmpty, "the engine's kernel has it all");
            all[i].From.Reset();
        }

        await Patience.Elapse(TimeSpan.FromMilliseconds(500));
        Assert.That(rig.Engine.Count, Is.GreaterThan(pairs / 2), "they wait for their readers");
        long start = Stopwatch.GetTimestamp();
        all.ForEach(p => p.To.Reset());
        await rig.AtRestAsync();
        Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(TimeSpan.FromSeconds(1.5)));
    }

    [Test]
    public async Task A_backend_that_resets_at_once_keeps_no_connection()
    {
        const int clients = 200;
        TestBackend backend = Backend();
        backend.Serve(static peer =>
        {
            peer.Reset();
            return Task.CompletedTask;
        });
        Rig rig = Start(Settings.Pool(backend));
        byte[] bytes = new byte[10_000];
        for (int i = 0; i < clients; i++)
        {
            try
            {
                Peer client = await ConnectAsync(rig);
                client.Socket.Blocking = false;
                client.Socket.Send(bytes);
            }
            catch (SocketException)
            {
                // Reset already.
            }
        }

        await rig.AtRestAsync();
        Assert.That(rig.Records.EndedCount, Is.GreaterThan(clients / 2));
        for (int i = rig.Records.EndedCount; i > 0; i--)
        {
            Assert.That((await rig.Records.NextEndAsync()).TotalTime, Is.LessThan(Grace - TimeSpan.FromSeconds(2)));
        }
    }

    [Test]
    public async Task What_was_meant_for_the_side_that_reset_delays_nothing([Values] bool byClient)
    {
        TestBackend backend = Backend(receiveBuffer: 16 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend, sendBuffer: 16 * 1024);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        Task<string> sending = to.SendPatternAsync(4, 64 * MiB);
        await Patience.UntilStill(() => to.Sent, TimeSpan.FromMilliseconds(300));

        long start = Stopwatch.GetTimestamp();
        from.Reset();

        Assert.That(async () => await sending, Throws.InstanceOf<SocketException>());
        Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(Grace - TimeSpan.FromSeconds(1)));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(byClient ? CloseReason.ClientReset : CloseReason.BackendReset));
    }

    [Test]
    public async Task A_reset_after_the_other_side_has_finished_is_passed_on_too([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        to.Finish();
        Assert.That((await from.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));

        from.Reset();

        Assert.That((await to.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
    }

    [Test]
    public async Task A_client_that_resets_while_we_connect_ends_the_connect()
    {
        TestBackend backend = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(backend) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(new byte[100]);
        await Patience.Until(() => IsConnecting(backend), "the engine connects");

        client.Reset();

        ConnectionRecord end = await rig.Records.NextEndAsync();
        await Patience.Until(() => !IsConnecting(backend), "the connect is abandoned");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end.Reason, Is.EqualTo(CloseReason.ClientReset));
            Assert.That(end.IsEstablished, Is.False);
            Assert.That(rig.Listener.Refused[CloseReason.ClientReset], Is.EqualTo(1));
            Assert.That(rig.Backend().ConnectFailures.Total, Is.Zero, "no failed connect is counted");
        }
    }

    private static async Task<Received> ReadLateAsync(Peer peer)
    {
        await Patience.Elapse(TimeSpan.FromSeconds(1));
        return await peer.ReceiveAllAsync();
    }

    private static bool IsConnecting(TestBackend backend) =>
        IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections()
            .Any(c => c.State == TcpState.SynSent && c.RemoteEndPoint.Equals(backend.Endpoint.ToIPEndPoint()));

    private static async Task SendUntilClosedAsync(Peer sender)
    {
        try
        {
            await sender.SendAsync(new byte[64 * 1024 * 1024]);
        }
        catch (System.Net.Sockets.SocketException)
        {
            // Reset in its turn.
        }
    }
}
