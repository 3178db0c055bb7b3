using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>What the connects of clients report about a backend, and the trial connection to a backend that is down.</summary>
internal abstract class PassiveContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private readonly ConcurrentQueue<PassiveHealthEvent> _news = new();

    [Test]
    public async Task Refused_connects_in_a_row_are_told_of_once()
    {
        TestBackend refusing = Keep(TestBackend.Refusing());
        Rig rig = StartHeard(Settings.Pool(refusing) with { ConnectAttempts = 1, Passive = new PassiveSettings { Failures = 3 } });
        for (int i = 0; i < 8; i++)
        {
            await ExpectResetAsync(rig);
        }

        Assert.That(_news, Is.EqualTo(new[] { PassiveHealthEvent.Failing }));
        Assert.That((rig.Backend().Connects.FailedInARow, rig.Backend().Connects.LastFault), Is.EqualTo((8, "connection refused")));

        refusing.Listen();
        (Peer client, Peer server) = await OpenAsync(rig, refusing);
        Assert.That(_news, Is.EqualTo(new[] { PassiveHealthEvent.Failing, PassiveHealthEvent.Working }));
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Connects_that_nobody_answers_count()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        Rig rig = StartHeard(Settings.Pool(silent) with
        {
            ConnectAttempts = 1,
            ConnectTimeout = TimeSpan.FromMilliseconds(100),
            Passive = new PassiveSettings { Failures = 2 },
        });
        await ExpectResetAsync(rig);
        await ExpectResetAsync(rig);

        Assert.That(_news, Is.EqualTo(new[] { PassiveHealthEvent.Failing }));
        Assert.That(rig.Backend().Connects.LastFault, Is.EqualTo("no answer in time"));
    }

    [TestCase(StreamEnd.Reset)]
    [TestCase(StreamEnd.Fin)]
    public async Task A_backend_that_ends_connections_right_after_the_connect_has_not_failed(StreamEnd end)
    {
        TestBackend backend = Backend();
        backend.Serve(peer =>
        {
            if (end == StreamEnd.Reset)
            {
                peer.Reset();
            }

            return Task.CompletedTask;
        });
        Rig rig = StartHeard(Settings.Pool(backend) with { ConnectAttempts = 1, Passive = new PassiveSettings { Failures = 1 } });
        bool[] reset = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => IsResetAsync(rig)));
        await Patience.Until(() => rig.Records.EndedCount == 50, "all are over");

        Assert.That(_news, Is.Empty);
        Assert.That((rig.Backend().Connects.FailedInARow, rig.Backend().ConnectFailures.Total, rig.Listener.Refused.Total), Is.EqualTo((0, 0L, 0L)));
        Assert.That(rig.ClosedAs(end == StreamEnd.Reset ? CloseReason.BackendReset : CloseReason.BackendClosed), Is.EqualTo(50));
        Assert.That(reset, Is.All.EqualTo(end == StreamEnd.Reset));
    }

    [TestCase(StreamEnd.Reset)]
    [TestCase(StreamEnd.Fin)]
    public async Task With_early_close_a_backend_that_ends_connections_right_after_the_connect_is_told_of(StreamEnd end)
    {
        TestBackend backend = Backend();
        backend.Serve(peer =>
        {
            if (end == StreamEnd.Reset)
            {
                peer.Reset();
            }

            return Task.CompletedTask;
        });
        var passive = new PassiveSettings { Failures = 3, EarlyClose = TimeSpan.FromMinutes(1) };
        Rig rig = StartHeard(Settings.Pool(backend) with { ConnectAttempts = 1, Passive = passive });
        for (int i = 1; i <= 3; i++)
        {
            Assert.That(_news, Is.Empty);
            await IsResetAsync(rig);
            await Patience.Until(() => rig.Records.EndedCount == i, "it is over");
        }

        Assert.That(_news, Is.EqualTo(new[] { PassiveHealthEvent.Failing }));
        Assert.That(rig.Backend().WeighedLoad(Instant.Now(TimeProvider.System)), Is.EqualTo(3), "they stay in its load for a while");
    }

    [Test]
    public async Task With_early_close_a_backend_that_sends_a_byte_has_not_failed()
    {
        TestBackend backend = Backend();
        backend.Serve(peer => peer.SendAsync(new byte[1]));
        var passive = new PassiveSettings { Failures = 1, EarlyClose = TimeSpan.FromMinutes(1) };
        Rig rig = StartHeard(Settings.Pool(backend) with { ConnectAttempts = 1, Passive = passive });
        for (int i = 1; i <= 3; i++)
        {
            await IsResetAsync(rig);
            await Patience.Until(() => rig.Records.EndedCount == i, "it is over");
        }

        Assert.That((_news.Count, rig.Backend().WeighedLoad(Instant.Now(TimeProvider.System))), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task Of_many_that_come_at_once_one_is_let_through_to_a_backend_that_is_down()
    {
        TestBackend backend = Backend();
        Rig rig = StartOnTrial(Settings.Pool(backend));
        Task<bool>[] clients = [.. Enumerable.Range(0, 40).Select(_ => IsResetAsync(rig))];
        using Peer server = await backend.AcceptAsync();
        await Patience.Until(() => rig.Listener.Refused[CloseReason.NoBackend] == 39, "the others are refused");
        await Patience.Until(() => !_news.IsEmpty, "the engine reports the connect, which the backend may see before it");

        Assert.That(_news, Is.EqualTo(new[] { PassiveHealthEvent.Working }));
        Assert.That(rig.Backend().ConnectAttempts, Is.EqualTo(1));
        server.Finish();
        Assert.That((await Task.WhenAll(clients)).Count(r => r), Is.EqualTo(39));
    }

    [Test]
    public async Task Where_its_client_leaves_another_is_let_through()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        Rig rig = StartOnTrial(Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.Backend().Load == 1, "it is let through");
        Assert.That(rig.Backend().Connects.IsTrialFree, Is.False);

        client.Reset();
        await Patience.Until(() => rig.Backend().Connects.IsTrialFree, "the next may try");
        await ConnectAsync(rig);
        await Patience.Until(() => rig.Backend().Load == 1, "and does");
        Assert.That(_news, Is.Empty);
    }

    [Test]
    public async Task Where_it_fails_that_is_told_and_nobody_else_is_let_through()
    {
        TestBackend refusing = Keep(TestBackend.Refusing());
        Rig rig = StartOnTrial(Settings.Pool(refusing) with { ConnectAttempts = 1 });
        await ExpectResetAsync(rig);
        await ExpectResetAsync(rig);

        Assert.That(_news, Is.EqualTo(new[] { PassiveHealthEvent.TrialFailed }));
        Assert.That(rig.Backend().ConnectAttempts, Is.EqualTo(1));
        Assert.That(rig.Listener.Refused[CloseReason.NoBackend], Is.EqualTo(1));
    }

    private static async Task<bool> IsResetAsync(Rig rig)
    {
        try
        {
            using Peer client = await Peer.ConnectAsync(rig.Address);
            return (await client.ReceiveAllAsync()).End == StreamEnd.Reset;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return true;
        }
    }

    private Rig StartOnTrial(PoolSettings pool)
    {
        Rig rig = StartHeard(pool);
        rig.Backend().Connects.AllowTrial();
        rig.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.HalfOpen });
        return rig;
    }

    private Rig StartHeard(PoolSettings pool)
    {
        Rig rig = Start(pool);
        rig.Snapshot.ConnectReports.Handler = (_, news) => _news.Enqueue(news);
        return rig;
    }
}
