using System.Net.NetworkInformation;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Where connections to backends come from: <c>source_ips</c> in turn, by family.</summary>
internal abstract class SourceContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task Connections_leave_from_the_sources_in_turn()
    {
        TestBackend backend = Backend();
        Rig rig = Start(From(Settings.Pool(backend), "127.0.0.2", "127.0.0.3"));

        var seen = new List<string>();
        for (int i = 0; i < 6; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            seen.Add(server.Remote.Address.ToString());
            Assert.That(rig.List().Single(r => r.Tuple.Source == client.Local).LocalEndpoint, Is.EqualTo(server.Remote), "as the record says");
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(string.Join(' ', seen.Distinct().Order()), Is.EqualTo("127.0.0.2 127.0.0.3"));
            Assert.That(seen.Zip(seen.Skip(1)).All(p => p.First != p.Second), Is.True, string.Join(' ', seen));
        }
    }

    [Test]
    public async Task The_kernel_chooses_where_no_source_is_given()
    {
        TestBackend backend = Backend();
        (_, Peer server) = await OpenAsync(Start(Settings.Pool(backend)), backend);

        Assert.That(server.Remote.Address.ToString(), Is.EqualTo("127.0.0.1"));
    }

    [Test]
    public async Task Sources_fit_the_family_of_the_backend()
    {
        TestBackend backend = Backend("::1");
        Rig rig = Start(From(Settings.Pool(backend), "127.0.0.2", "::1"));

        for (int i = 0; i < 4; i++)
        {
            (_, Peer server) = await OpenAsync(rig, backend);
            Assert.That(server.Remote.Address.ToString(), Is.EqualTo("::1"));
        }
    }

    [Test]
    public async Task A_source_that_is_not_of_this_host_is_skipped_and_is_no_exhaustion()
    {
        TestBackend backend = Backend();
        Rig rig = Start(From(Settings.Pool(backend), "192.0.2.1", "127.0.0.2"));

        for (int i = 0; i < 4; i++)
        {
            (_, Peer server) = await OpenAsync(rig, backend);
            Assert.That(server.Remote.Address.ToString(), Is.EqualTo("127.0.0.2"));
        }

        LocalAddressState[] sources = [.. rig.Snapshot.Sources.OrderBy(s => s.Label, StringComparer.Ordinal)];
        using (Assert.EnterMultipleScope())
        {
            Assert.That((sources[0].Unusable, sources[0].Exhausted), Is.EqualTo((0L, 0L)));
            Assert.That(sources[1].Unusable, Is.InRange(1, 4), "it is met, and then comes last for a while");
            Assert.That(sources[1].Exhausted, Is.Zero);
            Assert.That(rig.Backend().ConnectAttempts, Is.EqualTo(4));
            Assert.That(rig.Backend().ConnectFailures.Total, Is.Zero);
        }
    }

    [Test]
    public async Task Where_no_source_is_of_this_host_the_client_is_reset_and_no_backend_is_blamed()
    {
        Rig rig = Start(From(Settings.Pool(Backend()), "192.0.2.1"));
        await ExpectResetAsync(rig);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.ConnectFailed, 0)));
            Assert.That(rig.Backend().ConnectFailures.Total, Is.Zero);
            Assert.That(rig.Snapshot.Sources.Sum(s => s.Exhausted), Is.Zero);
        }
    }

    [Test]
    public async Task Port_is_in_use_from_the_connect_to_the_end_where_the_backend_closes_first()
    {
        TestBackend backend = Backend();
        Rig rig = Start(From(Settings.Pool(backend), "127.0.0.2"));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Assert.That(InUse(rig), Is.EqualTo(1));

        server.Finish();
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        client.Finish();
        await rig.AtRestAsync();

        Assert.That((InUse(rig), TimeWaits(server)), Is.EqualTo((0, 0)), "we were not the first, so nothing waits");
    }

    [Test]
    public async Task Port_stays_in_use_where_our_FIN_was_the_first()
    {
        TestBackend backend = Backend();
        Rig rig = Start(From(Settings.Pool(backend), "127.0.0.2"));
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        await FinishAsync(client, server);
        await rig.AtRestAsync();

        Assert.That((InUse(rig), TimeWaits(server)), Is.EqualTo((1, 1)), "as the kernel counts it");
    }

    [Test]
    public async Task Port_stays_in_use_where_we_close()
    {
        TestBackend backend = Backend();
        Rig rig = Start(From(Settings.Pool(backend), "127.0.0.2"));
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        Assert.That(rig.Engine.Close(rig.List().Single().Id, CloseReason.Admin), Is.True);
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        server.Finish();
        client.Finish();
        await rig.AtRestAsync();

        Assert.That((InUse(rig), TimeWaits(server)), Is.EqualTo((1, 1)), "as the kernel counts it");
    }

    [Test]
    public async Task Reset_of_either_side_leaves_no_port_in_use([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(From(Settings.Pool(backend), "127.0.0.2"));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (byClient ? client : server).Reset();
        await rig.AtRestAsync();

        Assert.That((InUse(rig), TimeWaits(server)), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task Refused_connect_leaves_no_port_in_use()
    {
        TestBackend backend = Backend();
        Rig rig = Start(From(Settings.Pool(backend), "127.0.0.2") with { ConnectAttempts = 1 });
        backend.Dispose();
        await ExpectResetAsync(rig);
        await rig.AtRestAsync();

        Assert.That(InUse(rig), Is.Zero);
    }

    [Test]
    public async Task Choice_of_the_kernel_is_counted_too()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        await OpenAsync(rig, backend);

        Assert.That(InUse(rig), Is.EqualTo(1));
    }

    private static int InUse(Rig rig) => rig.Snapshot.Ports.Uses.Sum(u => u.InUse(Instant.Now(TimeProvider.System)));

    // Of the kernel's connections that one which goes from our side to this peer's.
    private static int TimeWaits(Peer server) => IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections()
        .Count(c => c.State == TcpState.TimeWait && Endpoint.From(c.LocalEndPoint) == server.Remote);

    private static PoolSettings From(PoolSettings pool, params string[] sources) =>
        pool with { SourceIps = [.. sources.Select(Settings.Address)] };
}
