using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>How long a client waits for a backend: the attempts and the waits between them, and the queue before <c>new_connection_rate</c>.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class ConnectTimeContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    /// <summary>Timers count in milliseconds, and may come a few of them too early.</summary>
    private static readonly TimeSpan Early = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Busy = TimeSpan.FromSeconds(4);

    /// <summary>Of fifty a second.</summary>
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(20);

    [Test]
    public async Task One_backend_that_does_not_answer_takes_the_attempts_and_the_waits_between_and_no_more()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromMilliseconds(300), ConnectAttempts = 3 });

        await ExpectResetAsync(rig);

        await ExpectThreeAttemptsAsync(rig, rig.Listener);
    }

    [Test]
    public async Task A_reload_in_the_middle_of_it_changes_nothing_for_who_is_connecting([Values] bool backendLeaves)
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        TestBackend other = Backend();
        PoolSettings pool = Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromMilliseconds(300), ConnectAttempts = 3 };
        Rig rig = Start(pool);
        ListenerState listener = rig.Listener;
        BackendState backend = rig.Backend();
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => backend.ConnectFailures.Total >= 1, "the first attempt is over");

        PoolSettings patient = (backendLeaves ? Settings.Pool(other) : pool) with { ConnectTimeout = TimeSpan.FromHours(1), ConnectAttempts = 16 };
        rig.Publish(Settings.Config(patient, Settings.Listener("127.0.0.1:0")));

        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        await ExpectThreeAttemptsAsync(rig, listener);
    }

    [Test]
    public async Task Queued_clients_that_have_left_give_up_their_places_where_that_is_asked_for([Values] bool abortOnClose)
    {
        const int Gone = 30;
        int connected = 0;
        TestBackend backend = Backend();
        backend.Serve(async peer =>
        {
            Interlocked.Increment(ref connected);
            await peer.SendAsync(await peer.ReceiveAsync(1));
        });
        Rig rig = Start(Settings.Pool(backend) with { NewConnectionRate = 20, AbortOnClose = abortOnClose });
        for (int i = 0; i < Gone; i++)
        {
            (await ConnectAsync(rig)).Finish();
        }

        await Patience.Until(() => rig.Listener.Accepted == Gone && rig.Pool.State.QueueAbandoned >= Gone / 2, "they are known to have left");
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        await AskAsync(await ConnectAsync(rig));
        TimeSpan waited = System.Diagnostics.Stopwatch.GetElapsedTime(start);
        if (abortOnClose)
        {
            Assert.That(waited, Is.LessThan(TimeSpan.FromSeconds(1)), "the places are free");
            Assert.That(Volatile.Read(ref connected), Is.LessThan(Gone / 2));
            Assert.That(rig.Listener.Refused[CloseReason.ClientClosed], Is.GreaterThan(Gone / 2));
        }
        else
        {
            await Patience.Until(() => Volatile.Read(ref connected) == Gone + 1, "one that sends FIN first may still expect an answer");
            Assert.That(rig.Listener.Refused.Total, Is.Zero);
        }
    }

    [Test]
    public async Task A_queued_client_that_has_sent_something_before_its_FIN_keeps_its_place()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend) with { NewConnectionRate = 10, AbortOnClose = true });
        List<Peer> clients = [];
        for (int i = 0; i < 5; i++)
        {
            Peer client = await ConnectAsync(rig);
            await client.SendAsync(new byte[1]);
            client.Finish();
            clients.Add(client);
        }

        foreach (Peer client in clients)
        {
            Assert.That((await client.ReceiveAllAsync()).Bytes, Is.EqualTo(1));
        }

        Assert.That(rig.Pool.State.QueueAbandoned, Is.Zero);
    }

    [Test]
    public async Task A_storm_reaches_the_backend_at_the_rate_and_nobody_is_lost()
    {
        const int Clients = 40;
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend) with { NewConnectionRate = 50 });
        List<Peer> clients = [];
        for (int i = 0; i < Clients; i++)
        {
            clients.Add(await ConnectAsync(rig));
        }

        await Patience.Until(() => rig.Records.EstablishedCount == Clients, "all are connected");
        foreach (Peer client in clients)
        {
            await client.SendAsync("echo"u8.ToArray());
            Assert.That(await client.ReceiveAsync(4), Is.EqualTo("echo"u8.ToArray()));
        }

        // A thread that sleeps too long may let a later one go first: what comes after so many is never too early.
        Instant[] starts = [.. rig.List().Select(r => r.ConnectStartedAt).Order()];
        using (Assert.EnterMultipleScope())
        {
            for (int i = 1; i < Clients; i++)
            {
                Assert.That(starts[i] - starts[0], Is.GreaterThanOrEqualTo((i * Between) - Early));
            }

            Assert.That(starts[^1] - starts[0], Is.LessThan((Clients * Between) + Busy));
            Assert.That(rig.Backend().ConnectAttempts, Is.EqualTo(Clients));
            Assert.That(rig.Listener.Refused.Total, Is.Zero);
        }
    }

    [Test]
    public async Task A_client_that_leaves_while_it_waits_for_its_turn_ends_at_once()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { NewConnectionRate = 1, ConnectTimeout = TimeSpan.FromMinutes(1) });
        await OpenAsync(rig, backend);
        for (int i = 0; i < 20; i++)
        {
            await ConnectAsync(rig);
        }

        Peer leaving = await ConnectAsync(rig);
        await Patience.Until(() => rig.Listener.Accepted == 22, "it waits");
        leaving.Reset();

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Reason, end.Attempts, end.Tuple.Source), Is.EqualTo((CloseReason.ClientReset, 0, leaving.Local)));
            Assert.That(end.TotalTime, Is.LessThan(TimeSpan.FromSeconds(15)), "its turn would have come after 21 s");
        }
    }

    [Test]
    public async Task Where_every_queue_is_full_the_client_is_reset_as_limit()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { NewConnectionRate = 1, ConnectTimeout = TimeSpan.FromSeconds(2) });
        await OpenAsync(rig, backend);
        Peer[] waiting = [await ConnectAsync(rig), await ConnectAsync(rig)];
        await Patience.Until(() => rig.Listener.Accepted == 3, "they wait");

        await ExpectResetAsync(rig);
        ConnectionRecord end = await rig.Records.NextEndAsync();
        Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.Limit, 0)));
        await Patience.Until(() => rig.Records.EstablishedCount == 3, "those that waited are served");
        Array.ForEach(waiting, w => w.Finish());
    }

    private static async Task ExpectThreeAttemptsAsync(Rig rig, ListenerState listener)
    {
        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.ConnectTimeout, 3)));
            Assert.That(end.TotalTime, Is.InRange(TimeSpan.FromMilliseconds(1500) - Early, TimeSpan.FromMilliseconds(1500) + Busy));
            Assert.That(listener.Refused[CloseReason.ConnectTimeout], Is.EqualTo(1));
        }
    }
}
