using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Which backend is connected to, and what a client sees where none can be.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class ConnectContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int Many = 30;

    /// <summary>Timers count in milliseconds, and may come a few of them too early.</summary>
    private static readonly TimeSpan Early = TimeSpan.FromMilliseconds(20);

    [Test]
    public async Task A_backend_that_refuses_is_passed_over()
    {
        TestBackend refusing = Keep(TestBackend.Refusing());
        TestBackend living = Backend();
        living.ServeEcho();
        Rig rig = Start(Settings.Pool(refusing, living));

        await EchoManyAsync(rig);

        long failed = rig.Backend(0).ConnectFailures[CloseReason.ConnectFailed];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(failed, Is.InRange(1, Many), "some of the clients hash to it");
            Assert.That(rig.Backend(0).ConnectAttempts, Is.EqualTo(failed));
            Assert.That(rig.Backend(1).ConnectAttempts, Is.EqualTo(Many));
            Assert.That(rig.Backend(1).Closed[CloseReason.ClientClosed], Is.EqualTo(Many));
            Assert.That(rig.Listener.Refused.Total, Is.Zero);
        }
    }

    [Test]
    public async Task Where_all_refuse_the_client_is_reset_after_the_attempts()
    {
        Rig rig = Start(Settings.Pool(Keep(TestBackend.Refusing())) with { ConnectTimeout = TimeSpan.FromMilliseconds(300), ConnectAttempts = 3 });
        await ExpectResetAsync(rig);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Reason, end.Attempts, end.IsEstablished), Is.EqualTo((CloseReason.ConnectFailed, 3, false)));
            Assert.That(end.TotalTime, Is.InRange(TimeSpan.FromMilliseconds(600) - Early, TimeSpan.FromSeconds(4)), "two pauses of the connect timeout");
            Assert.That(rig.Listener.Refused[CloseReason.ConnectFailed], Is.EqualTo(1));
            Assert.That(rig.Backend().ConnectAttempts, Is.EqualTo(3));
            Assert.That(rig.Backend().ConnectFailures[CloseReason.ConnectFailed], Is.EqualTo(3));
        }
    }

    [Test]
    public async Task The_same_backend_is_asked_again_after_a_second_at_most()
    {
        Rig rig = Start(Settings.Pool(Keep(TestBackend.Refusing())) with { ConnectTimeout = TimeSpan.FromSeconds(10), ConnectAttempts = 2 });
        await ExpectResetAsync(rig);

        Assert.That((await rig.Records.NextEndAsync()).TotalTime, Is.InRange(TimeSpan.FromSeconds(1) - Early, TimeSpan.FromSeconds(5)));
    }

    [Test]
    public async Task A_backend_that_comes_up_between_two_attempts_gets_the_connection()
    {
        TestBackend late = Keep(TestBackend.Refusing());
        Rig rig = Start(Settings.Pool(late));
        Peer client = await ConnectAsync(rig);
        Task<string> sending = client.SendPatternAsync(9, 100_000);
        await Patience.Until(() => rig.Backend().ConnectFailures.Total == 1, "the first attempt was refused");

        late.Listen();
        Peer server = Keep(await late.AcceptAsync());
        string digest = await sending;
        client.Finish();

        Assert.That(await server.ReceiveAllAsync(), Is.EqualTo(new Received(100_000, digest, StreamEnd.Fin)));
    }

    [Test]
    public async Task A_backend_that_does_not_answer_is_passed_over_after_the_connect_timeout()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        TestBackend living = Backend();
        living.ServeEcho();
        Rig rig = Start(Settings.Pool(silent, living) with { ConnectTimeout = TimeSpan.FromMilliseconds(400) });

        await EchoManyAsync(rig);

        long failed = rig.Backend(0).ConnectFailures[CloseReason.ConnectTimeout];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(failed, Is.InRange(1, Many), "some of the clients hash to it");
            Assert.That(rig.Backend(0).ConnectFailures.Total, Is.EqualTo(failed));
            Assert.That(rig.Backend(1).ConnectAttempts, Is.EqualTo(Many));
            Assert.That(rig.Listener.Refused.Total, Is.Zero);
        }
    }

    [Test]
    public async Task Where_none_answers_the_client_is_reset_when_the_last_attempt_is_over()
    {
        TestBackend[] silent = [Keep(await TestBackend.SilentAsync()), Keep(await TestBackend.SilentAsync())];
        Rig rig = Start(Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromMilliseconds(400), ConnectAttempts = 2 });
        await ExpectResetAsync(rig);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.ConnectTimeout, 2)));
            Assert.That(end.TotalTime, Is.InRange(TimeSpan.FromMilliseconds(800) - Early, TimeSpan.FromSeconds(4)));
            Assert.That(rig.Backend(0).ConnectFailures[CloseReason.ConnectTimeout], Is.EqualTo(1), "each was asked once");
            Assert.That(rig.Backend(1).ConnectFailures[CloseReason.ConnectTimeout], Is.EqualTo(1));
        }
    }

    [Test]
    public async Task Where_all_are_down_the_client_is_reset_as_no_backend()
    {
        Rig rig = Start(Settings.Pool(Backend(), Backend()));
        rig.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down, [1] = HealthState.Down });

        await ExpectNoBackendAsync(rig);
    }

    [Test]
    public async Task A_backend_of_weight_zero_gets_no_connection()
    {
        PoolSettings pool = Settings.Pool(Backend());
        ImmutableArray<BackendSettings> weightless = [pool.Backends[0] with { Weight = 0 }];

        await ExpectNoBackendAsync(Start(pool with { Backends = weightless }));
    }

    [Test]
    public async Task A_backup_serves_only_while_no_other_backend_lives()
    {
        TestBackend backend = Backend();
        TestBackend backup = Backend();
        backend.ServeEcho();
        backup.ServeEcho();
        PoolSettings pool = Settings.Pool(backend, backup);
        ImmutableArray<BackendSettings> backends = [pool.Backends[0], pool.Backends[1] with { Backup = true }];
        Rig rig = Start(pool with { Backends = backends });

        await EchoManyAsync(rig);
        Assert.That((rig.Backend(0).Closed.Total, rig.Backend(1).Closed.Total), Is.EqualTo(((long)Many, 0L)));

        rig.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down });
        await EchoManyAsync(rig);
        Assert.That((rig.Backend(0).Closed.Total, rig.Backend(1).Closed.Total), Is.EqualTo(((long)Many, (long)Many)));
    }

    [Test]
    public async Task A_new_snapshot_decides_about_new_connections_only()
    {
        TestBackend before = Backend();
        TestBackend after = Backend();
        Rig rig = Start(Settings.Pool(before));
        (Peer client, Peer server) = await OpenAsync(rig, before);

        rig.Publish(Settings.Config(Settings.Pool(after), Settings.Listener("127.0.0.1:0")));
        (Peer newClient, Peer newServer) = await OpenAsync(rig, after);

        await client.SendAsync(new byte[5]);
        Assert.That(await server.ReceiveAsync(5), Has.Length.EqualTo(5));
        await FinishAsync(client, server);
        await FinishAsync(newClient, newServer);
        await rig.AtRestAsync();
        Assert.That((rig.Backend().Closed.Total, rig.Closed), Is.EqualTo((1L, 2L)), "the new backend's own count, and both");
        Assert.That(rig.Listener.Accepted, Is.EqualTo(2), "the listener counts on");
    }

    private static async Task ExpectNoBackendAsync(Rig rig)
    {
        await ExpectResetAsync(rig);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.NoBackend, 0)));
            Assert.That(end.Backend, Is.Null);
            Assert.That(rig.Listener.Refused[CloseReason.NoBackend], Is.EqualTo(1));
        }
    }

    /// <summary>Many clients at once, from as many ports: with a hash over the tuple they spread.</summary>
    private async Task EchoManyAsync(Rig rig)
    {
        var clients = new List<Peer>();
        for (int i = 0; i < Many; i++)
        {
            clients.Add(await ConnectAsync(rig));
        }

        foreach (Peer client in clients)
        {
            await client.SendAsync("echo"u8.ToArray());
            Assert.That(await client.ReceiveAsync(4), Is.EqualTo("echo"u8.ToArray()));
            client.Finish();
            Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        }

        await rig.AtRestAsync();
    }
}
