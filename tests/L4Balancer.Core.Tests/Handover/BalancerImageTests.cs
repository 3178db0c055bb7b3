using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Handover;

/// <summary>What a process has counted and learnt goes over to another, and is added there by name.</summary>
internal sealed class BalancerImageTests
{
    /// <summary>What version 1 writes. These bytes stay as they are, whatever a later version writes. Sticky keys have bytes of their own.</summary>
    private const string FirstVersion =
        "01" // version
        + "0180620000002900000000000000030000001300000061646D696E5F617574685F6661696C7572657303000000000000000E00000072656C6F616473"
        + "5F6661696C656401000000000000001100000072656C6F6164735F7375636365656465640200000000000000" // process
        + "02004E000000010000006C0300000008000000616363657074656409000000000000000C0000006B6579735F6D697373696E6701000000000000000D"
        + "000000726566757365645F6C696D69740200000000000000" // listener
        + "03004800000001000000700200000010000000656E64706F696E745F6C696D6974656401000000000000000F00000071756575655F6162616E646F6E"
        + "6564040000000000000046C0692AC9000000" // pool
        + "04000301000001000000700200000062300B00000031302E302E312E303A3830080000001000000062797465735F746F5F6261636B656E6464000000"
        + "000000000F00000062797465735F746F5F636C69656E74C80000000000000014000000636C6F7365645F636C69656E745F636C6F7365640500000000"
        + "00000010000000636F6E6E6563745F617474656D707473080000000000000020000000636F6E6E6563745F6661696C757265735F636F6E6E6563745F"
        + "74696D656F757401000000000000000D00000070726F6265735F6661696C656402000000000000000A000000736865645F647261696E010000000000"
        + "00000B0000007472616E736974696F6E730100000000000000" // backend
        + "05003E0000000100000000000000000000FFFF0A0000010200000009000000657868617573746564060000000000000008000000756E757361626C65"
        + "0100000000000000" // source
        + "0600470000000100000000000000000000FFFF0A00000100500000000000000000000000FFFF0A000100010000000500000038363339300300000000"
        + "00000002000000409C0200FE479C01008D" // ports
        + "08001E00000003000000646E730100000007000000736C69707065640700000000000000"; // part

    /// <summary>Likewise, a table: the seeds, one backend, one entry. The lower half of the second seed is that of the key of the scene.</summary>
    private const string FirstVersionOfTable =
        "010000007011111111111111110000000022222222" // pool and seeds
        + "010000000200000062300B00000031302E302E312E303A3830" // backends
        + "010000000807060504030201181716151413121100000000000000000000FFFFC633640100000000F6BF692AC9000000"; // entry

    private static readonly StickySettings Sticky = new() { Ttl = TimeSpan.FromMinutes(5), Entries = 1000 };

    [Test]
    public void Golden_image_of_version_1_is_read_as_it_was_meant_and_written_again()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1") with { Sticky = Sticky });
        scene.Snapshot.Ports.Supply.Range = PortRange.Parse("40000 41023", "");
        byte[] golden = Convert.FromHexString(FirstVersion);
        var dns = new DnsCounters();
        var image = new BalancerImage([dns]);
        byte[] table = Table(scene);
        Assert.That(image.TryAdd([.. golden, .. table], scene.Snapshot, new Survivors(1), scene.Now, out string fault), Is.True, fault);

        BackendState backend = scene.Backend(0);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(scene.Snapshot.State.LastId, Is.EqualTo(41 + BalancerImage.IdGap));
            Assert.That((scene.Snapshot.State.AdminAuthFailures, scene.Snapshot.State.Reloads.Succeeded, scene.Snapshot.State.Reloads.Failed), Is.EqualTo((3, 2, 1)));
            Assert.That((scene.Listener.Accepted, scene.Listener.KeysMissing, scene.Listener.Refused[CloseReason.Limit]), Is.EqualTo((9, 1, 2)));
            Assert.That((scene.Pool.State.QueueAbandoned, scene.Pool.State.EndpointAnswers[EndpointResult.Limited]), Is.EqualTo((4, 1)));
            Assert.That((backend.ConnectAttempts, backend.BytesToBackend, backend.BytesToClient), Is.EqualTo((8, 100, 200)));
            Assert.That((backend.Closed[CloseReason.ClientClosed], backend.Shed[CloseReason.Drain], backend.ConnectFailures[CloseReason.ConnectTimeout]), Is.EqualTo((5, 1, 1)));
            Assert.That((backend.Health.Failed, backend.Health.Transitions), Is.EqualTo((2, 1)));
            Assert.That((scene.Snapshot.Sources[0].Exhausted, scene.Snapshot.Sources[0].Unusable), Is.EqualTo((6, 1)));
            Assert.That(scene.Ports.InUse(scene.Now), Is.EqualTo(3));
            Assert.That(dns[DnsResult.Slipped], Is.EqualTo(7));
            Assert.That(scene.Pool.Sticky!.Count(Sticky.Ttl, scene.Now), Is.EqualTo(1));
        }

        // Only the id is another.
        BitConverter.TryWriteBytes(golden.AsSpan(7), scene.Snapshot.State.LastId);
        string written = Convert.ToHexString(image.Capture(scene.Snapshot, scene.Now));
        int part = FirstVersion.Length - (2 * (6 + 7 + 4 + 4 + 7 + 8));
        string expected = Convert.ToHexString(golden);
        Assert.That(written, Is.EqualTo(expected[..part] + Convert.ToHexString(table) + expected[part..]), "the table stands before the parts");
    }

    [Test]
    public void Image_of_a_later_version_is_added_without_what_is_not_known_and_refused_if_that_is_mandatory()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));
        byte[] golden = Convert.FromHexString(FirstVersion);
        golden[0] = 2;
        var more = new FieldWriter();
        more.End(more.Begin(900));
        Assert.That(new BalancerImage([]).TryAdd([.. golden, .. more.Written], scene.Snapshot, new Survivors(1), scene.Now, out string fault), Is.True, fault);
        Assert.That(scene.Listener.Accepted, Is.EqualTo(9));

        more = new FieldWriter();
        more.End(more.Begin(900 | FieldWriter.Mandatory));
        Assert.That(new BalancerImage([]).TryAdd([.. golden, .. more.Written], scene.Snapshot, new Survivors(1), scene.Now, out fault), Is.False);
        Assert.That((fault, scene.Listener.Accepted), Is.EqualTo(("version 2 with the unknown field 900", 9L)), "nothing was added");
    }

    [Test]
    public void Counters_never_step_back_over_a_whole_image_and_its_differences()
    {
        var before = new SetupScene(SetupScene.PoolOf(2));
        var after = new SetupScene(SetupScene.PoolOf(2));
        var image = new BalancerImage([]);
        var survivors = new Survivors(1);
        ListenerState listener = after.Listener;
        Serve(before, 3);
        after.Listener.CountAccepted();

        Add(image.Capture(before.Snapshot, before.Now), after, survivors);
        Assert.That((listener.Accepted, after.Pool.Backends.Sum(b => b.State.Closed.Total)), Is.EqualTo((4, 3)));

        Serve(before, 2);
        Add(image.TakeDifference(before.Snapshot, before.Now), after, survivors);
        Assert.That((listener.Accepted, after.Pool.Backends.Sum(b => b.State.Closed.Total)), Is.EqualTo((6, 5)), "only what has come since");

        Add(image.TakeDifference(before.Snapshot, before.Now), after, survivors);
        Assert.That((listener.Accepted, after.Pool.Backends.Sum(b => b.State.Closed.Total)), Is.EqualTo((6, 5)), "nothing has");
        Assert.That(after.Snapshot.State.NextId(), Is.GreaterThan(before.Snapshot.State.NextId()));
    }

    [Test]
    public void Bytes_of_the_process_before_do_not_disturb_those_of_a_worker()
    {
        var before = new SetupScene(SetupScene.PoolOf(1));
        var after = new SetupScene(SetupScene.PoolOf(1));
        before.Backend(0).Traffic(0).Add(10, 20);
        before.Backend(0).Traffic(3).Add(1, 2);
        after.Backend(0).Traffic(0).Add(100, 200);

        Add(new BalancerImage([]).Capture(before.Snapshot, before.Now), after, new Survivors(1));

        Assert.That((after.Backend(0).BytesToBackend, after.Backend(0).BytesToClient), Is.EqualTo((111, 222)));
        Assert.That((after.Backend(0).Traffic(0).ToBackend, after.Backend(0).Traffic(0).ToClient), Is.EqualTo((100, 200)));
    }

    [Test]
    public void Counters_of_names_that_are_gone_are_kept_as_after_a_reload()
    {
        var before = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1"));
        Serve(before, 3);
        before.Snapshot.Sources[0].CountExhausted();
        var after = new SetupScene(SetupScene.PoolOf(1) with { Name = "q" }, listener: l => l with { Name = "m" });
        var survivors = new Survivors(1);

        Add(new BalancerImage([]).Capture(before.Snapshot, before.Now), after, survivors);
        RoutingSnapshot joined = survivors.JoinTo(after.Snapshot);

        Assert.That(joined.Removed.Listeners.Single().Accepted, Is.EqualTo(3));
        Backend backend = joined.Removed.Backends.Single();
        Assert.That((backend.State.Pool, backend.Name, backend.Settings.Address, backend.State.Closed.Total), Is.EqualTo(("p", "b0", "10.0.1.0:80", 3L)));
        Assert.That(joined.Sources.Single(s => s.Label == "10.0.0.1").Exhausted, Is.EqualTo(1));
        Assert.That(survivors.JoinTo(joined).Removed.Backends, Has.Length.EqualTo(1), "joined once more, it is there once");

        byte[] again = new BalancerImage([]).Capture(joined, after.Now);
        var third = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1"));
        Add(again, third, new Survivors(1));
        Assert.That((third.Listener.Accepted, third.Backend(0).Closed.Total), Is.EqualTo((3L, 3L)), "they come back with the next process that has the names");
    }

    [Test]
    public void Parts_outside_of_the_snapshot_go_over_by_name()
    {
        var before = new SetupScene(SetupScene.PoolOf(1));
        (DnsCounters old, DnsCounters young) = (new DnsCounters(), new DnsCounters());
        old.Count(DnsResult.Slipped);
        var image = new BalancerImage([old]);
        byte[] first = image.Capture(before.Snapshot, before.Now);
        old.Count(DnsResult.Slipped);
        byte[] second = image.TakeDifference(before.Snapshot, before.Now);

        var to = new BalancerImage([young]);
        Assert.That(to.TryAdd(first, before.Snapshot, new Survivors(1), before.Now, out _), Is.True);
        Assert.That(young[DnsResult.Slipped], Is.EqualTo(1));
        Assert.That(to.TryAdd(second, before.Snapshot, new Survivors(1), before.Now, out _), Is.True);
        Assert.That(young[DnsResult.Slipped], Is.EqualTo(2));
        Assert.That(new BalancerImage([]).TryAdd(first, before.Snapshot, new Survivors(1), before.Now, out _), Is.True, "a part that does not exist there");
    }

    [Test]
    public void Ports_in_TIME_WAIT_go_over_and_run_out_when_they_would_have()
    {
        var before = new SetupScene(SetupScene.PoolOf(1));
        var after = new SetupScene(SetupScene.PoolOf(1));
        var image = new BalancerImage([]);
        var survivors = new Survivors(1);
        WaitFor(before, 5);
        before.Pass(TimeSpan.FromSeconds(30));
        after.Pass(TimeSpan.FromSeconds(30));

        Add(image.Capture(before.Snapshot, before.Now), after, survivors);
        Assert.That(after.Ports.InUse(after.Now), Is.EqualTo(5));
        WaitFor(before, 2);
        Add(image.TakeDifference(before.Snapshot, before.Now), after, survivors);
        Assert.That(after.Ports.InUse(after.Now), Is.EqualTo(7));

        after.Pass(TimeSpan.FromSeconds(31));
        Assert.That(after.Ports.InUse(after.Now), Is.EqualTo(2));
        after.Pass(TimeSpan.FromSeconds(31));
        Assert.That(after.Ports.InUse(after.Now), Is.Zero);
    }

    [Test]
    public void Ports_of_the_other_process_are_not_tried_until_they_come_over_or_the_next_sweep()
    {
        var before = new SetupScene(SetupScene.PoolOf(1));
        var after = new SetupScene(SetupScene.PoolOf(1));
        before.Snapshot.Ports.Supply.Range = after.Snapshot.Ports.Supply.Range = PortRange.Parse("40000 41023", "40005");
        for (ushort port = 40_000; port < 40_900; port++)
        {
            if (port != 40_005)
            {
                before.Ports.Take();
                before.Ports.Connected(port, before.Now);
            }
        }

        Add(new BalancerImage([]).Capture(before.Snapshot, before.Now), after, new Survivors(1));
        IReadOnlyList<PortRun> runs = after.Ports.Runs;
        ushort[] known = [.. runs.SelectMany(r => Enumerable.Range(r.First, r.Count)).Select(p => (ushort)p)];
        Assert.That(known, Has.Length.GreaterThan(800).And.No.Member((ushort)40_950).And.No.Member((ushort)40_005));
        Assert.That(runs.Select(r => r.State).Distinct(), Is.EqualTo((byte[])[254]), "of another process");

        after.Ports.TakeOver(known[^1]);
        after.Ports.Sweep(after.Now);
        Assert.That(after.Ports.Runs, Is.EqualTo([new PortRun(known[^1], 1, 255)]), "the one that came over is held");
        after.Ports.Lend(known[^1]);
        after.Ports.Sweep(after.Now);
        Assert.That((after.Ports.Runs.Count, after.Ports.Held), Is.EqualTo((0, 0)));
    }

    [TestCase(1000, 1000)]
    [TestCase(1000, 100_000)]
    [TestCase(100_000, 1000)]
    public void Sticky_keys_go_over_whatever_the_size_of_the_table(int entriesBefore, int entriesAfter)
    {
        var before = new SetupScene(SetupScene.PoolOf(5) with { Sticky = Sticky with { Entries = entriesBefore } }, seed: 1);
        var after = new SetupScene(SetupScene.PoolOf(5) with { Sticky = Sticky with { Entries = entriesAfter } }, seed: 2);
        List<(ushort Port, int Backend)> went = [];
        for (ushort port = 1; port <= 8; port++)
        {
            SetupAttempt attempt = before.Accept(port);
            attempt.Connected();
            went.Add((port, attempt.Backend));
            attempt.Record.Close(before.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, before.Now);
        }

        before.Accept(5000);
        Add(new BalancerImage([]).Capture(before.Snapshot, before.Now), after, new Survivors(1));

        Assert.That(after.Pool.Sticky!.Count(Sticky.Ttl, after.Now), Is.EqualTo(8), "not the one that was never established");
        Assert.That(went.Select(w => after.Accept(w.Port).Backend), Is.EqualTo(went.Select(w => w.Backend)));
        Assert.That(after.Pool.Sticky.Count(Sticky.Ttl, after.Now + Sticky.Ttl + Sticky.Ttl), Is.EqualTo(8), "those connections hold them");
    }

    [Test]
    public void Sticky_keys_that_came_since_go_over_with_the_difference()
    {
        var before = new SetupScene(SetupScene.PoolOf(5) with { Sticky = Sticky }, seed: 1);
        var after = new SetupScene(SetupScene.PoolOf(5) with { Sticky = Sticky }, seed: 2);
        var image = new BalancerImage([]);
        var survivors = new Survivors(1);
        Add(image.Capture(before.Snapshot, before.Now), after, survivors);
        before.Pass(TimeSpan.FromSeconds(1));
        Serve(before, 1);
        Add(image.TakeDifference(before.Snapshot, before.Now), after, survivors);
        Assert.That(after.Pool.Sticky!.Count(Sticky.Ttl, after.Now), Is.EqualTo(1));
    }

    [Test]
    public void Pace_of_closing_goes_on()
    {
        var before = new SetupScene(SetupScene.PoolOf(1));
        var after = new SetupScene(SetupScene.PoolOf(1));
        before.Pool.State.Closing.Reserve(before.Now, TimeSpan.FromSeconds(10));
        Add(new BalancerImage([]).Capture(before.Snapshot, before.Now), after, new Survivors(1));
        Assert.That(after.Pool.State.Closing.Reserve(after.Now, TimeSpan.FromSeconds(10)), Is.GreaterThan(after.Now + TimeSpan.FromSeconds(5)));
    }

    [Test]
    public void Image_that_is_wrong_changes_nothing()
    {
        var before = new SetupScene(SetupScene.PoolOf(2) with { Sticky = Sticky });
        Serve(before, 3);
        byte[] whole = new BalancerImage([]).Capture(before.Snapshot, before.Now);
        int added = 0;
        for (int length = 0; length < whole.Length; length++)
        {
            var after = new SetupScene(SetupScene.PoolOf(2) with { Sticky = Sticky });
            bool isAdded = new BalancerImage([]).TryAdd(whole.AsSpan(0, length), after.Snapshot, new Survivors(1), after.Now, out string fault);
            Assert.That(isAdded, Is.EqualTo(fault.Length == 0));
            Assert.That(isAdded || after.Listener.Accepted == 0, Is.True);
            added += isAdded ? 1 : 0;
        }

        Assert.That(added, Is.LessThan(10), "only where a field ends");

        var random = new Random(7);
        for (int i = 0; i < 5_000; i++)
        {
            byte[] spoilt = [.. whole];
            for (int n = random.Next(1, 6); n > 0; n--)
            {
                spoilt[random.Next(spoilt.Length)] = (byte)random.Next(256);
            }

            var after = new SetupScene(SetupScene.PoolOf(2) with { Sticky = Sticky });
            new BalancerImage([]).TryAdd(spoilt, after.Snapshot, new Survivors(1), after.Now, out _);
        }
    }

    // The golden bytes as a field, with the half of the seed that says which key it is of.
    private static byte[] Table(SetupScene scene)
    {
        byte[] table = Convert.FromHexString(FirstVersionOfTable);
        BitConverter.TryWriteBytes(table.AsSpan(5 + 8), (uint)scene.Pool.Sticky!.Seeds.Second);
        return [7, 0, .. BitConverter.GetBytes(table.Length), .. table];
    }

    private static void Add(byte[] image, SetupScene scene, Survivors survivors) =>
        Assert.That(new BalancerImage([]).TryAdd(image, scene.Snapshot, survivors, scene.Now, out string fault), Is.True, fault);

    // Connections that come and go.
    private static void Serve(SetupScene scene, int connections)
    {
        for (int i = 0; i < connections; i++)
        {
            SetupAttempt attempt = scene.Accept((ushort)(40_000 + i));
            scene.Snapshot.State.NextId();
            attempt.Connected();
            attempt.Record.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, scene.Now);
        }
    }

    private static void WaitFor(SetupScene scene, int ports)
    {
        for (int i = 0; i < ports; i++)
        {
            PortLease lease = PortLease.Take(scene.Ports);
            lease.Return((ushort)(5000 + i), waits: true, scene.Now);
        }
    }
}
