using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Handover;

/// <summary>A connection of one process goes on in another, whose configuration may be another as well.</summary>
internal sealed class ReviveTests
{
    private static readonly StickySettings Sticky = new() { Ttl = TimeSpan.FromMinutes(5), Entries = 100 };

    [Test]
    public void Connection_goes_on_with_the_states_of_the_same_names_and_is_counted_once()
    {
        SetupScene before = Scene(SetupScene.PoolOf(2));
        SetupScene after = Scene(SetupScene.PoolOf(2));
        SetupAttempt attempt = Established(before);
        attempt.Record.BytesToClient = 77;

        (ConnectionRecord record, _) = Carry(attempt, after, out _);
        record.Join(after.Snapshot.State);

        BackendState backend = after.Backend(attempt.Backend);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(record.Listener, Is.SameAs(after.Listener));
            Assert.That(record.Backend, Is.SameAs(backend));
            Assert.That(record.Origin, Is.SameAs(after.Snapshot.Listeners[0].Default.Origin));
            Assert.That((backend.Active, after.Pool.State.Active, after.Listener.Open, after.Snapshot.State.Open), Is.EqualTo((1, 1, 1, 1)));
            Assert.That((after.Listener.Pending, after.Listener.Accepted), Is.EqualTo((0, 0L)), "the other process has counted it as accepted");
            Assert.That(PortsOf(after, attempt.Backend).Held, Is.EqualTo(1));
            Assert.That((record.Id, record.BytesToClient, record.EstablishedAt), Is.EqualTo((attempt.Record.Id, 77L, attempt.Record.EstablishedAt)));
        }

        record.Close(after.Snapshot.State, CloseReason.ClientClosed, wasFirst: true, after.Now);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((backend.Active, after.Pool.State.Active, after.Listener.Open, after.Snapshot.State.Open), Is.EqualTo((0, 0, 0, 0)));
            Assert.That(backend.Closed[CloseReason.ClientClosed], Is.EqualTo(1));
            Assert.That((PortsOf(after, attempt.Backend).Held, PortsOf(after, attempt.Backend).InUse(after.Now)), Is.EqualTo((0, 1)), "TIME_WAIT");
        }
    }

    [Test]
    public void Connection_leaves_no_count_behind_in_the_old_process()
    {
        SetupScene before = Scene(SetupScene.PoolOf(1) with { Sticky = Sticky }, perSource: 5);
        SetupAttempt attempt = Established(before);

        attempt.Record.Leave(before.Snapshot.State);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((before.Backend(0).Load, before.Pool.State.Load, before.Listener.Open, before.Snapshot.State.Open), Is.EqualTo((0, 0, 0, 0)));
            Assert.That(before.Backend(0).Closed.Total, Is.Zero);
            Assert.That(before.Ports.Held, Is.Zero);
            Assert.That(Places(before, limit: 1), Is.EqualTo(1), "the place of its client is free");
            Assert.That(before.Pool.Sticky!.Count(Sticky.Ttl, before.Now + Sticky.Ttl), Is.Zero, "its entry is held no longer");
        }
    }

    [Test]
    public void Place_of_a_client_is_counted_once_and_given_back_once()
    {
        SetupScene before = Scene(SetupScene.PoolOf(1), perSource: 3);
        SetupScene after = Scene(SetupScene.PoolOf(1), perSource: 3);
        SetupAttempt attempt = Established(before);

        (ConnectionRecord record, _) = Carry(attempt, after, out _);
        record.Join(after.Snapshot.State);
        Assert.That(Places(after, limit: 3), Is.EqualTo(2));
        record.Close(after.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, after.Now);
        Assert.That(Places(after, limit: 3), Is.EqualTo(1), "the two that have been counted since are still there");
    }

    [Test]
    public void Place_that_the_ledger_does_not_know_of_follows_the_listener([Values] bool hasLimit)
    {
        SetupScene after = Scene(SetupScene.PoolOf(1), perSource: hasLimit ? 3 : 0);
        (ConnectionRecord record, _) = FromLedger().Revive(after.Snapshot, new Survivors(1));
        Assert.That(record.HasClientPlace, Is.EqualTo(hasLimit));
    }

    [Test]
    public void Half_closed_connection_with_a_slot_of_its_age_stays_what_it_was()
    {
        SetupScene before = Scene(SetupScene.PoolOf(1) with { MaxAge = TimeSpan.FromHours(1), CloseRate = 1 });
        SetupScene after = Scene(SetupScene.PoolOf(1) with { MaxAge = TimeSpan.FromHours(1), CloseRate = 1 });
        SetupAttempt attempt = Established(before);
        ConnectionEnd end = default;
        end.FinRead(Side.Backend);
        end.Delivered(Side.Backend, sinkIsEnding: false);
        attempt.Record.NoteHalfClosed();
        Instant late = attempt.Record.EstablishedAt + TimeSpan.FromHours(1);
        attempt.Record.Pool.Closing.Reserve(late, TimeSpan.FromSeconds(30));
        Assert.That(end.DeadlinePassed(attempt.Record, late, default, late), Is.EqualTo(EndActions.None), "a slot was reserved");
        Instant due = end.NextDeadline(attempt.Record, late);

        (ConnectionRecord record, ConnectionEnd revived) = Carry(attempt, after, out _, end);
        record.Join(after.Snapshot.State);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((revived.IsHalfClosed, revived.SourceEnded(Side.Backend), revived.IsPassedOn(Side.Backend)), Is.EqualTo((true, true, true)));
            Assert.That((revived.SourceEnded(Side.Client), revived.IsPassedOn(Side.Client), revived.HasCause), Is.EqualTo((false, false, false)));
            Assert.That((record.IsHalfClosed, after.Pool.State.HalfClosed), Is.EqualTo((true, 1)));
            Assert.That(revived.NextDeadline(record, late), Is.EqualTo(due));
        }

        revived.FinRead(Side.Client);
        revived.Delivered(Side.Client, sinkIsEnding: false);
        Assert.That(revived.Settle(late), Is.EqualTo(EndActions.Close));
        Assert.That((revived.Reason, revived.LeavesTimeWait(EndActions.Close)), Is.EqualTo((CloseReason.BackendClosed, false)));
    }

    [Test]
    public void Connection_of_a_pool_that_is_gone_keeps_its_settings_and_counts_as_after_a_reload()
    {
        SetupScene before = Scene(SetupScene.PoolOf(1) with { IdleTimeout = TimeSpan.FromMinutes(7) });
        SetupScene after = Scene(SetupScene.PoolOf(1) with { Name = "other" });
        SetupAttempt attempt = Established(before);

        (ConnectionRecord record, _) = Carry(attempt, after, out Survivors survivors);
        record.Join(after.Snapshot.State);
        RoutingSnapshot joined = survivors.JoinTo(after.Snapshot);
        Backend left = joined.Removed.Backends.Single();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(record.Listener, Is.SameAs(after.Listener));
            Assert.That((record.Pool.Name, record.Backend!.Name, record.Origin.Policy.IdleTimeout), Is.EqualTo(("p", "b0", TimeSpan.FromMinutes(7))));
            Assert.That((left.State.Active, left.State.PoolState.Active, left.Settings.Address, left.Endpoint),
                Is.EqualTo((1, 1, "10.0.1.0:80", SetupScene.At("10.0.1.0:80"))));
            Assert.That(left.State, Is.SameAs(record.Backend));
            Assert.That((joined.Generation, joined.Pools, joined.State), Is.EqualTo((after.Snapshot.Generation, after.Snapshot.Pools, after.Snapshot.State)));
            Assert.That(joined.Ports.Uses.Single(u => u.Destination == left.Endpoint).Held, Is.EqualTo(1));
        }

        RoutingSnapshot back = RoutingSnapshot.Build(
            new(new BalancerConfig { Listeners = [after.Snapshot.Listeners[0].Settings with { Pool = "p" }], Pools = [SetupScene.PoolOf(1)] }, 1000), joined);
        Assert.That(back.Pools[0].Backends[0].State, Is.SameAs(record.Backend), "a later file that has it again continues its counts");
        Assert.That(back.Pools[0].State, Is.SameAs(record.Pool));
    }

    [Test]
    public void Connection_of_which_nothing_is_known_but_names_gets_the_defaults()
    {
        SetupScene after = Scene(SetupScene.PoolOf(1) with { Name = "other" });
        (ConnectionRecord record, ConnectionEnd end) = FromLedger().Revive(after.Snapshot, new Survivors(1));
        Assert.That((record.Origin.Policy.IdleTimeout, record.Origin.Policy.Keepalive), Is.EqualTo((TimeSpan.FromHours(1), new KeepaliveSettings())));
        Assert.That(end.NextDeadline(record, record.EstablishedAt), Is.Not.EqualTo(Instant.Never));
    }

    [Test]
    public void Settings_of_a_pool_that_the_new_configuration_has_are_the_new_ones()
    {
        SetupScene before = Scene(SetupScene.PoolOf(1) with { IdleTimeout = TimeSpan.FromMinutes(7) });
        SetupScene after = Scene(SetupScene.PoolOf(1) with { IdleTimeout = TimeSpan.FromMinutes(8) });
        (ConnectionRecord record, _) = Carry(Established(before), after, out _);
        Assert.That(record.Origin.Policy.IdleTimeout, Is.EqualTo(TimeSpan.FromMinutes(8)));
    }

    [Test]
    public void Listener_that_is_gone_is_one_state_for_all_its_connections()
    {
        SetupScene before = Scene(SetupScene.PoolOf(1));
        var after = new SetupScene(SetupScene.PoolOf(1), listener: l => l with { Name = "other" });
        var survivors = new Survivors(1);
        List<ConnectionRecord> records = [];
        foreach (int _ in Enumerable.Range(0, 3))
        {
            SetupAttempt attempt = Established(before);
            records.Add(CarriedRecord.Of(attempt.Record, default).Revive(after.Snapshot, survivors).Record);
            records[^1].Join(after.Snapshot.State);
        }

        ListenerState listener = survivors.JoinTo(after.Snapshot).Removed.Listeners.Single();
        Assert.That((listener.Name, listener.Open), Is.EqualTo(("l", 3)));
        Assert.That(records.Select(r => r.Listener), Is.All.SameAs(listener));
        Assert.That(records.Select(r => r.Origin).Distinct().Count(), Is.EqualTo(1));
        Assert.That(records[0].Pool, Is.SameAs(after.Pool.State));
        Assert.That(survivors.Made, Is.EqualTo(1));
    }

    [Test]
    public void Backend_of_the_same_name_at_another_address_is_another()
    {
        PoolSettings pool = SetupScene.PoolOf(1);
        SetupScene after = Scene(pool with { Backends = [pool.Backends[0] with { Address = "10.9.9.9:80", Endpoint = SetupScene.At("10.9.9.9:80") }] });
        (ConnectionRecord record, _) = Carry(Established(Scene(pool)), after, out Survivors survivors);

        Assert.That(record.Backend, Is.Not.SameAs(after.Backend(0)));
        Assert.That(record.Pool, Is.SameAs(after.Pool.State));
        RoutingSnapshot joined = survivors.JoinTo(after.Snapshot);
        Assert.That(joined.Removed.Backends.Single().Settings.Address, Is.EqualTo("10.0.1.0:80"));
        Assert.That(() => RoutingSnapshot.Build(new(new BalancerConfig { Pools = [pool] }, 10), joined), Throws.Nothing);
    }

    [TestCase("10.0.1.0:80", true)]
    [TestCase("10.9.9.9:80", false)]
    [TestCase(null, true)]
    public void Backend_of_an_entry_of_the_ledger_is_found_by_what_its_socket_is_connected_to(string? destination, bool isSame)
    {
        SetupScene after = Scene(SetupScene.PoolOf(1));
        CarriedRecord entry = FromLedger() with { Destination = destination is null ? null : SetupScene.At(destination) };
        (ConnectionRecord record, _) = entry.Revive(after.Snapshot, new Survivors(1));
        Assert.That(record.Backend == after.Backend(0), Is.EqualTo(isSame));
    }

    [Test]
    public void Route_of_the_same_number_to_the_same_pool_is_shared_and_another_is_kept_as_it_was()
    {
        PoolSettings[] pools = [SetupScene.PoolOf(1), SetupScene.PoolOf(1) with { Name = "q" }];
        var after = new SetupScene(l => l with { Routes = [new RouteSettings { Pool = "q", Source = [] }] }, pools);
        CarriedRecord here = FromLedger() with { Pool = "q", Route = "1" };
        CarriedRecord gone = FromLedger() with { Pool = "q", Route = "4", Rule = "sni a" };
        var survivors = new Survivors(1);

        ConnectionOrigin shared = here.Revive(after.Snapshot, survivors).Record.Origin;
        ConnectionOrigin kept = gone.Revive(after.Snapshot, survivors).Record.Origin;
        Assert.That(shared, Is.SameAs(after.Snapshot.Listeners[0].Routes[0].Origin));
        Assert.That((kept.Route, kept.Rule, kept.Pool, kept.Listener), Is.EqualTo(("4", "sni a", after.Snapshot.Pools[1].State, after.Listener)));
    }

    [Test]
    public void Hold_on_a_sticky_entry_is_made_again_where_the_seeds_went_over()
    {
        SetupScene before = Scene(SetupScene.PoolOf(3) with { Sticky = Sticky });
        SetupScene after = Scene(SetupScene.PoolOf(3) with { Sticky = Sticky }, seed: 99);
        SetupAttempt attempt = Established(before);
        CarriedRecord carried = CarriedRecord.Of(attempt.Record, default);
        Assert.That(carried.StickyHash, Is.Not.Null);

        var strange = new Survivors(1);
        (ConnectionRecord without, _) = carried.Revive(after.Snapshot, strange);
        Assert.That((without.Sticky, after.Pool.Sticky!.Count(Sticky.Ttl, after.Now)), Is.EqualTo((default(L4Balancer.Core.Sticky.StickyHold), 0)));

        var survivors = new Survivors(1);
        Assert.That(survivors.TryTakeSticky(after.Snapshot, "p", before.Pool.Sticky!.Seeds), Is.True);
        (ConnectionRecord record, _) = carried.Revive(after.Snapshot, survivors);
        record.Join(after.Snapshot.State);
        Instant late = after.Now + TimeSpan.FromHours(1);
        Assert.That(after.Pool.Sticky.Count(Sticky.Ttl, late), Is.EqualTo(1), "a living connection keeps it");

        SetupAttempt next = after.Accept((ushort)attempt.Record.Tuple.Source.Port);
        Assert.That(next.Backend, Is.EqualTo(attempt.Backend), "the next connection of the key follows it");
        next.Abandon(CloseReason.ClientClosed);
        record.Close(after.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, after.Now);
        Assert.That(after.Pool.Sticky.Count(Sticky.Ttl, late), Is.Zero);
    }

    [Test]
    public void Seeds_of_another_hash_key_are_not_taken()
    {
        SetupScene before = Scene(SetupScene.PoolOf(3) with { Sticky = Sticky });
        SetupScene after = Scene(SetupScene.PoolOf(3) with { Sticky = Sticky, HashKey = TupleFields.SourceIp | TupleFields.DestinationIp }, seed: 99);
        Assert.That(new Survivors(1).TryTakeSticky(after.Snapshot, "p", before.Pool.Sticky!.Seeds), Is.False);
    }

    [Test]
    public void Ids_go_on_after_those_of_the_other_process_and_never_back()
    {
        var state = new BalancerState();
        state.ContinueAfter(41);
        Assert.That(state.NextId(), Is.EqualTo(42));
        state.ContinueAfter(7);
        Assert.That((state.NextId(), state.LastId), Is.EqualTo((43UL, 43UL)));
    }

    [Test]
    public void Connection_that_is_not_established_is_not_carried()
    {
        SetupAttempt attempt = Scene(SetupScene.PoolOf(1)).Accept();
        Assert.That(() => CarriedRecord.Of(attempt.Record, default), Throws.ArgumentException);
    }

    private static SetupScene Scene(PoolSettings pool, int perSource = 0, ulong seed = 0) =>
        new(pool, listener: l => l with { MaxConnectionsPerSource = perSource }, seed: seed);

    private static SetupAttempt Established(SetupScene scene)
    {
        SetupAttempt attempt = scene.Accept();
        attempt.Connected("127.0.0.1:5000");
        Assert.That(attempt.Record.IsEstablished, Is.True);
        return attempt;
    }

    private static (ConnectionRecord Record, ConnectionEnd End) Carry(
        SetupAttempt attempt, SetupScene to, out Survivors survivors, ConnectionEnd end = default)
    {
        byte[] bytes = CarriedRecord.Of(attempt.Record, end).ToBytes();
        CarriedRecord? read = CarriedRecord.Read(bytes, out string fault);
        Assert.That(fault, Is.Empty);
        survivors = new Survivors(1);
        return read!.Revive(to.Snapshot, survivors);
    }

    /// <summary>What the ledger knows of a connection of the scene.</summary>
    private static CarriedRecord FromLedger() => new()
    {
        Id = 5,
        Listener = "l",
        Pool = "p",
        Backend = "b0",
        Tuple = new FourTuple(SetupScene.At("198.51.100.1:40000"), SetupScene.At("127.0.0.1:80")),
        LocalEndpoint = SetupScene.At("127.0.0.1:5000"),
        AcceptedAt = new Instant(TimeSpan.TicksPerDay),
        EstablishedAt = new Instant(TimeSpan.TicksPerDay),
    };

    private static PortUse PortsOf(SetupScene scene, int backend) => scene.Pool.Backends[backend].Sources[0];

    /// <summary>How many more connections of the scene's client its listener admits, which are counted then.</summary>
    private static int Places(SetupScene scene, int limit)
    {
        int places = 0;
        while (scene.Listener.ByClient.TryEnter(HostAddress.FromV4(0xC633_6401), limit, 0, scene.Now))
        {
            places++;
        }

        return places;
    }
}
