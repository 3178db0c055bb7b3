using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>What does not fit is reset as <c>limit</c>; what goes wrong with one connection stays with that one.</summary>
internal abstract class LimitContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task A_listener_holds_no_more_than_its_limit()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { MaxConnections = 2 });

        await ExpectTwoFitAsync(rig, backend);
    }

    [Test]
    public async Task The_process_holds_no_more_than_its_limit()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), maxConnections: 2);

        await ExpectTwoFitAsync(rig, backend);
    }

    [Test]
    public async Task Connections_without_a_backend_yet_count_too()
    {
        TestBackend backend = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(
            Settings.Pool(backend) with { ConnectTimeout = TimeSpan.FromSeconds(30) },
            Settings.Listener("127.0.0.1:0") with { MaxConnections = 1 });
        await ConnectAsync(rig);
        await Patience.Until(() => rig.Listener.Pending == 1, "the first is pending");

        await ExpectRefusedAsync(rig);
    }

    [Test]
    public async Task A_connection_that_waits_for_its_backend_holds_up_nobody()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        TestBackend living = Backend();
        living.ServeEcho();
        Rig rig = Start(Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        for (int i = 0; i < 50; i++)
        {
            await ConnectAsync(rig);
        }

        await Patience.Until(() => rig.Listener.Pending == 50, "all are pending");
        rig.Publish(Settings.Config(Settings.Pool(living), Settings.Listener("127.0.0.1:0")));
        Peer client = await ConnectAsync(rig);
        await client.SendAsync("echo"u8.ToArray());

        Assert.That(await client.ReceiveAsync(4), Is.EqualTo("echo"u8.ToArray()));
        Assert.That(rig.Listener.Pending, Is.EqualTo(50));
    }

    [Test]
    public async Task A_backend_never_holds_more_than_its_limit_when_many_connect_at_once()
    {
        const int limit = 10, rounds = 10, clients = 40;
        TestBackend backend = Backend();
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(pool with { Backends = [pool.Backends[0] with { MaxConnections = limit }] });
        var served = new List<Peer>();
        for (int round = 1; round <= rounds; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => TryConnectAsync(rig)));
            int ended = ((clients - limit) * round) + (limit * (round - 1));
            await Patience.Until(() => rig.Records.EndedCount == ended, "those above the limit are refused");
            served.Clear();
            for (int i = 0; i < limit; i++)
            {
                served.Add(Keep(await backend.AcceptAsync()));
            }

            BackendState state = rig.Pool.Backends[0].State;
            await Patience.Until(() => state.Active == limit, "the others are established");
            Assert.That(backend.HasWaiting, Is.False);
            served.ForEach(p => p.Reset());
            await Patience.Until(() => rig.Records.EndedCount == ended + limit && state.Load == 0, "the round is over");
        }

        Assert.That(rig.Listener.Refused.Total, Is.EqualTo((clients - limit) * rounds));
    }

    [Test]
    public async Task A_huge_limit_of_connections_costs_no_memory_until_they_come()
    {
        const long most = 16 << 20;
        TestBackend backend = Backend();
        backend.ServeEcho();
        long before = Environment.WorkingSet;
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { MaxConnections = int.MaxValue }, maxConnections: int.MaxValue);
        await VisitAsync(rig.Address);

        Assert.That(Environment.WorkingSet - before, Is.LessThan(most));
    }

    [Test]
    public async Task An_exception_ends_the_one_connection_that_met_it()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend),
            onEstablished: r =>
            {
                if (r.Id == 2)
                {
                    throw new InvalidOperationException("A fault that the test put here.");
                }
            });
        (Peer before, Peer beforeServer) = await OpenAsync(rig, backend);
        await ExpectResetAsync(rig);
        Peer brokenServer = Keep(await backend.AcceptAsync());
        Received received = await brokenServer.ReceiveAllAsync();
        ConnectionRecord end = await rig.Records.NextEndAsync();
        (Peer after, Peer afterServer) = await OpenAsync(rig, backend);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((received.Bytes, received.End), Is.EqualTo((0L, StreamEnd.Reset)));
            Assert.That((end.Id, end.Reason), Is.EqualTo((2UL, CloseReason.Internal)));
            Assert.That(rig.ClosedAs(CloseReason.Internal), Is.EqualTo(1));
            Assert.That(rig.Engine.Count, Is.EqualTo(2));
        }

        await FinishAsync(before, beforeServer);
        await FinishAsync(after, afterServer);
    }

    private async Task ExpectTwoFitAsync(Rig rig, TestBackend backend)
    {
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await OpenAsync(rig, backend);
        await ExpectRefusedAsync(rig);

        await FinishAsync(client, server);
        await Patience.Until(() => rig.Listener.Open == 1, "the place is free again");
        (client, server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    private static async Task ExpectRefusedAsync(Rig rig)
    {
        await ExpectResetAsync(rig);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.Limit, 0)));
            Assert.That(rig.Listener.Refused[CloseReason.Limit], Is.EqualTo(1));
        }
    }

    // A client that is refused may be reset before its connect has completed.
    private async Task TryConnectAsync(Rig rig)
    {
        try
        {
            await ConnectAsync(rig);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset)
        {
        }
    }
}
