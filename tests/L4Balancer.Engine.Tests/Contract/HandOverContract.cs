using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;
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
        (TestBackend backend, Rig rig) = StartFirst();
        await using IEngine? second = await StartSecondAsync(rig);
        if (second is null)
        {
            return;
        }

        bool stop = false;
        long received = 0;
        var streams = new List<Task>();
        for (int i = 0; i < Pairs; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            streams.Add(CheckAsync(client, server, 10 + i));
            streams.Add(CheckAsync(server, client, 20 + i));
        }

        (IEngine from, IEngine to) = (rig.Engine, second);
        for (int i = 0; i < HandOvers; i++)
        {
            long before = Volatile.Read(ref received);
            await Patience.Until(() => Volatile.Read(ref received) > before + (2 * MiB), "the streams go on");
            Assert.That(await HandOverAsync(from, to), Is.EqualTo(Pairs));
            Assert.That(from.Count, Is.Zero);
            (from, to) = (to, from);
        }

        Volatile.Write(ref stop, true);
        await Task.WhenAll(streams);
        await rig.AtRestAsync();
        Assert.That(rig.Closed, Is.EqualTo(Pairs));

        async Task CheckAsync(Peer sender, Peer receiver, int seed)
        {
            Task<Received> receiving = receiver.ReceiveAllAsync(count => Interlocked.Add(ref received, count));
            using var pattern = new Pattern(seed);
            while (!Volatile.Read(ref stop))
            {
                await sender.SendAsync(pattern.Next(MiB));
            }

            sender.Finish();
            Assert.That(await receiving, Is.EqualTo(new Received(pattern.Taken, pattern.Digest, StreamEnd.Fin)));
        }
    }

    [Test]
    public async Task What_a_slow_reader_has_not_taken_goes_along()
    {
        (TestBackend backend, Rig rig) = StartFirst();
        await using IEngine? second = await StartSecondAsync(rig);
        if (second is null)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Task<string> sending = client.SendPatternAsync(seed: 7, 64 * MiB);
        await Patience.UntilStill(() => client.Sent, Moment);

        Assert.That(await HandOverAsync(rig.Engine, second), Is.EqualTo(1));
        await Patience.UntilStill(() => client.Sent, Moment);
        Assert.That(sending.IsCompleted, Is.False, "the sender is held back by the other engine too");
        Task<Received> receiving = server.ReceiveAllAsync();
        string sent = await sending;
        client.Finish();

        Assert.That(await receiving, Is.EqualTo(new Received(64 * MiB, sent, StreamEnd.Fin)));
    }

    [Test]
    public async Task A_half_closed_connection_stays_half_closed_and_the_port_that_our_FIN_left_first_in_use()
    {
        (TestBackend backend, Rig rig) = StartFirst();
        await using IEngine? second = await StartSecondAsync(rig);
        if (second is null)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(rig, backend);
        client.Finish();
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That(await HandOverAsync(rig.Engine, second), Is.EqualTo(1));

        Task<Received> receiving = client.ReceiveAllAsync();
        string sent = await server.SendPatternAsync(seed: 8, 4 * MiB);
        server.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(4 * MiB, sent, StreamEnd.Fin)));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientClosed));
        await rig.AtRestAsync();
        Assert.That(rig.Snapshot.Ports.Uses.Sum(u => u.InUse(Instant.Now(TimeProvider.System))), Is.EqualTo(1), "in TIME_WAIT");
    }

    [Test]
    public async Task What_counts_by_client_address_counts_once_on_either_side()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { MaxConnectionsPerSource = 1 });
        await using IEngine? second = await StartSecondAsync(rig);
        if (second is null)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Assert.That(await HandOverAsync(rig.Engine, second), Is.EqualTo(1));
        await second.PingLoopsAsync().Soon();
        Assert.That(second.Count, Is.EqualTo(1), "the other engine has it");
        await ExpectResetAsync(rig);
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Limit), "the place went along");

        await FinishAsync(client, server);
        await rig.AtRestAsync();
        await OpenAsync(rig, backend);
        await ExpectResetAsync(rig);
        Assert.That(rig.Listener.Refused[CloseReason.Limit], Is.EqualTo(2), "and was given back once");
    }

    [Test]
    public async Task An_engine_that_has_stopped_resets_what_it_is_to_adopt_and_says_so_in_a_record()
    {
        (TestBackend backend, Rig rig) = StartFirst();
        await using IEngine? second = await StartSecondAsync(rig);
        if (second is null)
        {
            return;
        }

        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await second.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();
        Assert.That(await HandOverAsync(rig.Engine, second), Is.EqualTo(1));

        Assert.That((await client.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Shutdown));
        Assert.That(second.Count, Is.Zero);
    }

    /// <summary>Hands over all that is established.</summary>
    /// <returns>How many there were.</returns>
    private static async Task<int> HandOverAsync(IEngine from, IEngine to)
    {
        int count = 0;
        while (true)
        {
            await using FrozenSlice slice = (await from.FreezeAsync(126, CancellationToken.None).Soon())!;
            if (slice.Connections.Count == 0)
            {
                return count;
            }

            count += slice.Connections.Count;
            ExportedConnection[] copies = [.. slice.Connections.Select(Duplicates.Of)];
            Assert.That(await slice.CommitAsync(copies.Select(c => c.Record.Id).ToHashSet()).Soon(), Is.Empty);
            await to.AdoptAsync(copies).Soon();
        }
    }

    private (TestBackend Backend, Rig Rig) StartFirst()
    {
        TestBackend backend = Backend();
        return (backend, Start(Settings.Pool(backend)));
    }

    /// <returns>Null where the engine hands nothing over: it says so, and the test has nothing more to see.</returns>
    private async Task<IEngine?> StartSecondAsync(Rig rig)
    {
        await using (FrozenSlice? none = await rig.Engine.FreezeAsync(1, CancellationToken.None).Soon())
        {
            if (none is null)
            {
                Assert.That(async () => await rig.Engine.AdoptAsync([]), Throws.InstanceOf<NotSupportedException>());
                Assert.That(async () => await rig.Engine.StopAcceptingAsync(), Throws.InstanceOf<NotSupportedException>());
                Assert.That(rig.Engine.ResumeAccepting, Throws.InstanceOf<NotSupportedException>());
                Assert.That(rig.Engine.ListeningDescriptors, Is.Empty);
                return null;
            }
        }

        IEngine second = NewEngine(rig.Records);
        Assert.That(second.Start(rig.Snapshot), Is.Empty);
        return second;
    }
}
