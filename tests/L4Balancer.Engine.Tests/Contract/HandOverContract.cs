using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>
/// Established connections go from one engine to another while they run, and nobody notices. An engine that cannot says so, and the
/// tests hold it to that instead.
/// </summary>
internal abstract class HandOverContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int HandOvers = 20;
    private const int Pairs = 4;
    private const int MiB = 1024 * 1024;

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    [Test]
    public async Task Streams_continue_byte_for_byte_over_twenty_hand_overs()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        await using var traffic = new Traffic();
        for (int i = 0; i < Pairs; i++)
        {
            (Peer client, Peer server) = await OpenAsync(first, backend);
            traffic.Stream(client, server);
            traffic.Stream(server, client);
        }

        (Peer asking, Peer answering) = await OpenAsync(first, backend);
        traffic.PingPong(asking, answering);

        (Rig from, Rig to) = (first, second);
        for (int i = 0; i < HandOvers; i++)
        {
            await traffic.MoreAsync(2 * MiB);
            Assert.That(await HandOver.AllAsync(from, to), Is.EqualTo(Pairs + 1));
            Assert.That((from.Engine.Count, to.Engine.Count), Is.EqualTo((0, Pairs + 1)));
            (from, to) = (to, from);
        }

        await traffic.EndAsync();
        await first.AtRestAsync();
        Assert.That(first.Closed, Is.EqualTo(Pairs + 1), "after an even number of hand-overs");
    }

    [Test]
    public async Task What_a_slow_reader_has_not_taken_goes_along([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(first, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        Task<string> sending = from.SendPatternAsync(seed: 7, 64 * MiB);
        await Patience.UntilStill(() => from.Sent, Moment);

        Assert.That(await HandOver.AllAsync(first, second), Is.EqualTo(1));
        await Patience.UntilStill(() => from.Sent, Moment);
        Assert.That(sending.IsCompleted, Is.False, "the sender is held back by the other engine too");
        Task<Received> receiving = to.ReceiveAllAsync();
        string sent = await sending;
        from.Finish();

        Assert.That(await receiving, Is.EqualTo(new Received(64 * MiB, sent, StreamEnd.Fin)));
        to.Finish();
        await second.AtRestAsync();
        ConnectionRecord end = await second.Records.NextEndAsync();
        Assert.That(byClient ? end.BytesToBackend : end.BytesToClient, Is.EqualTo(64 * MiB), "counted from the first byte");
    }

    [Test]
    public async Task A_half_closed_connection_stays_half_closed_and_the_port_that_our_FIN_left_first_in_use()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(first, backend);
        client.Finish();
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That(await HandOver.AllAsync(first, second), Is.EqualTo(1));
        Assert.That((first.Pool.State.HalfClosed, second.Pool.State.HalfClosed), Is.EqualTo((0, 1)));

        Task<Received> receiving = client.ReceiveAllAsync();
        string sent = await server.SendPatternAsync(seed: 8, 4 * MiB);
        server.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(4 * MiB, sent, StreamEnd.Fin)));
        Assert.That((await second.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientClosed));
        await second.AtRestAsync();
        Assert.That(second.Snapshot.Ports.Uses.Sum(u => u.InUse(Instant.Now(TimeProvider.System))), Is.EqualTo(1), "in TIME_WAIT");
    }

    [Test]
    public async Task What_counts_by_client_address_counts_once_on_either_side()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { MaxConnectionsPerSource = 1 });
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(first, backend);
        Assert.That(await HandOver.AllAsync(first, second), Is.EqualTo(1));
        Assert.That(second.Engine.Count, Is.EqualTo(1), "the other engine has it");
        await ExpectResetAsync(second);
        Assert.That((await second.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Limit), "the place went along");

        (Peer next, Peer nextServer) = await OpenAsync(first, backend);
        await ExpectResetAsync(first);
        Assert.That(first.Listener.Refused[CloseReason.Limit], Is.EqualTo(1), "and was given back here, once");
        await FinishAsync(next, nextServer);

        await FinishAsync(client, server);
        await second.AtRestAsync();
        await OpenAsync(second, backend);
        await ExpectResetAsync(second);
        Assert.That(second.Listener.Refused[CloseReason.Limit], Is.EqualTo(2), "and there too");
    }

    [Test]
    public async Task An_engine_that_has_stopped_resets_what_it_is_to_adopt_and_says_so_in_a_record()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(first, backend);
        await second.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();
        await using FrozenSlice slice = (await first.Engine.FreezeAsync(1, CancellationToken.None).Soon())!;
        ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
        await HandOver.CommitAsync(slice, first, copies);
        IReadOnlyList<AdoptFailure> failures = await HandOver.AdoptAsync(second, copies);

        Assert.That(failures.Select(f => (f.Id, f.Reason)), Is.EqualTo(new[] { (copies[0].Record.Id, CloseReason.Shutdown) }));
        Assert.That((await client.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await second.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Shutdown));
        Assert.That(second.Engine.Count, Is.Zero);
    }

    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(true, true)]
    public async Task UNIX_sockets_go_over_as_well(bool isUnixListener, bool isUnixBackend)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4b-");
        try
        {
            TestBackend backend = isUnixBackend ? Keep(TestBackend.ListeningAt(Settings.Unix($"{folder.FullName}/b"))) : Backend();
            Rig first = Start(Settings.Pool(backend), Settings.Listener() with
            {
                Bind = [isUnixListener ? Settings.Unix($"{folder.FullName}/l") : Settings.Endpoint("127.0.0.1:0")],
            });
            if (!await HandsOverAsync(first))
            {
                return;
            }

            Rig second = (await StartSecondAsync(first, Duplicates.Of(first.Engine.ListeningDescriptors)))!;
            await second.Engine.StopAcceptingAsync().Soon();
            first.Engine.ResumeAccepting();
            Peer client = await ConnectAsync(first);
            Peer server = Keep(await backend.AcceptAsync());
            await Patience.Until(() => first.Records.EstablishedCount == 1, "it is established");
            await using var traffic = new Traffic();
            traffic.Stream(client, server);
            traffic.Stream(server, client);
            await traffic.MoreAsync(4 * MiB);
            Assert.That(await HandOver.AllAsync(first, second), Is.EqualTo(1));
            await traffic.MoreAsync(4 * MiB);
            Assert.That(await HandOver.AllAsync(second, first), Is.EqualTo(1));
            await traffic.EndAsync();
            await first.AtRestAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public async Task Two_thousand_connections_go_over_in_slices_while_all_of_them_talk()
    {
        // Each takes four descriptors, and those of a slice are duplicated.
        int count = OperatingSystem.IsLinux() ? (int)Math.Min(2000, (ResourceLimits.DescriptorLimit() - 1500) / 4) : 0;
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig first = Start(Settings.Pool(backend));
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        // The first time compiles the code.
        Peer warm = await ConnectAsync(first);
        await AskAsync(warm);
        await HandOver.AllAsync(first, second);
        warm.Dispose();
        await second.AtRestAsync();
        await using var traffic = new Traffic();
        for (int i = 0; i < count; i++)
        {
            traffic.Ask(await ConnectAsync(first), pause: TimeSpan.FromMilliseconds(500));
        }

        await Patience.Until(() => first.Records.EstablishedCount == count + 1, "all are established");
        List<TimeSpan> stood = [];
        Assert.That(await HandOver.AllAsync(first, second, stood.Add), Is.EqualTo(count));
        stood.Sort();
        TestContext.Out.WriteLine($"{count} connections in {stood.Count} slices; a slice stood still for {stood[stood.Count / 2].TotalMilliseconds:f1} ms, "
            + $"the longest for {stood[^1].TotalMilliseconds:f1} ms");
        Assert.That((first.Engine.Count, second.Engine.Count), Is.EqualTo((0, count)));
        await traffic.EndAsync();
    }
}
