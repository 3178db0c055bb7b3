using System.Diagnostics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Connections on which nothing happens for too long are closed by us: FIN both ways.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class TimeoutContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(2.5);
    private static readonly TimeSpan Pulse = TimeSpan.FromMilliseconds(100);

    [Test]
    public async Task A_connection_without_a_byte_either_way_is_closed()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { IdleTimeout = Short, HalfCloseTimeout = Short });
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        await ExpectFinsAsync(client, server);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end.Reason, Is.EqualTo(CloseReason.IdleTimeout));
            Assert.That(end.TotalTime, Is.InRange(Short - TimeSpan.FromMilliseconds(20), Short + TimeSpan.FromSeconds(4)));
        }
    }

    [Test]
    public async Task Bytes_in_one_direction_keep_a_connection_alive([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { IdleTimeout = Idle, HalfCloseTimeout = Idle });
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        await PulseAsync(from, to, Idle * 2);
        await ExpectFinsAsync(client, server);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end.Reason, Is.EqualTo(CloseReason.IdleTimeout));
            Assert.That(end.TotalTime, Is.GreaterThan(Idle * 2.5));
        }
    }

    [Test]
    public async Task A_side_that_goes_on_silently_after_the_other_has_finished_is_closed([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { HalfCloseTimeout = Short });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer first, Peer second) = byClient ? (client, server) : (server, client);
        first.Finish();
        Assert.That((await second.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));

        Assert.That((await first.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        second.Finish();

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end.Reason, Is.EqualTo(CloseReason.HalfCloseTimeout));
            Assert.That(end.TotalTime, Is.InRange(Short - TimeSpan.FromMilliseconds(20), Short + TimeSpan.FromSeconds(4)));
        }
    }

    [Test]
    public async Task An_answer_that_takes_longer_than_the_half_close_timeout_is_not_cut_off_while_it_flows()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { HalfCloseTimeout = Idle });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        client.Finish();
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));

        await PulseAsync(server, client, Idle * 2);
        server.Finish();

        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientClosed));
    }

    [Test]
    public async Task The_half_close_timeout_counts_from_the_end_of_the_first_side()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { HalfCloseTimeout = Idle });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await Patience.Elapse(Idle * 1.2);

        client.Finish();
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        await Patience.Elapse(Idle * 0.3);
        server.Finish();

        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientClosed));
    }

    [Test]
    public async Task A_slow_reader_that_still_acknowledges_is_not_idle()
    {
        const int Much = 6 * 1024 * 1024;
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { IdleTimeout = Idle, HalfCloseTimeout = Idle });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        client.Socket.ReceiveBufferSize = 32 * 1024;
        Task sending = server.SendAsync(new byte[Much]);

        // Slower than one send buffer in the idle timeout: for most of the time no byte is relayed, and some are acknowledged.
        long start = Stopwatch.GetTimestamp();
        int read = 0;
        while (Stopwatch.GetElapsedTime(start) < Idle * 4)
        {
            read += (await client.ReceiveAsync(8 * 1024)).Length;
            await Patience.Elapse(Pulse);
        }

        Assert.That(rig.Records.EndedCount, Is.Zero, "it is open");
        await client.ReceiveAsync(Much - read);
        await sending;
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_reader_that_takes_nothing_any_more_is_idle_and_reset()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { IdleTimeout = Idle, HalfCloseTimeout = Idle });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        client.Socket.ReceiveBufferSize = 32 * 1024;
        Task sending = IgnoreAsync(server.SendAsync(new byte[32 * 1024 * 1024]));

        ConnectionRecord end = await rig.Records.NextEndAsync();
        Assert.That(end.Reason, Is.EqualTo(CloseReason.IdleTimeout));
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset), "not the regular end of a stream that is cut off");
        await sending;
    }

    private static async Task IgnoreAsync(Task sending)
    {
        try
        {
            await sending;
        }
        catch (System.Net.Sockets.SocketException)
        {
            // The engine closes it.
        }
    }

    private static async Task ExpectFinsAsync(Peer client, Peer server)
    {
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        client.Finish();
        server.Finish();
    }

    /// <summary>One byte now and again. A machine that stalls for most of the timeout says nothing about the engine.</summary>
    private static async Task PulseAsync(Peer from, Peer to, TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < time)
        {
            long last = Stopwatch.GetTimestamp();
            await from.SendAsync(new byte[1]);
            await to.ReceiveAsync(1);
            await Patience.Elapse(Pulse);
            Assume.That(Stopwatch.GetElapsedTime(last), Is.LessThan(Idle * 0.7), "the machine stalled");
        }
    }
}
