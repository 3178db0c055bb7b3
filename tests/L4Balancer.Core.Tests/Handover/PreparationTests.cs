using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Handover;

/// <summary>What a process knows before it builds anything, and how health goes on with it.</summary>
internal sealed class PreparationTests
{
    /// <summary>What version 1 writes for <see cref="Full"/>. These bytes stay as they are, whatever a later version writes.</summary>
    private const string FirstVersion =
        "01" // version
        + "0180100000001032547698BADCFE0700000000000000" // process
        + "0200560000000400000063686174030000007773310105000000640000000B00000061646D696E20756964203000401F22BF809F080000894C88819F"
        + "0800090000006D323A2061646D696E00C0F27651829F08000000000000000001" // override
        + "03003C00000004000000636861740E00000077732E6578616D706C652E636F6DBB0100000000000000000000FFFF0A00000120010DB8000000000000"
        + "000000000001" // name
        + "040042000000040000006368617401003400000000500000000000000000000000FFFF0A00000901000000770300000001090000000F000000777373"
        + "3A2F2F612E6578616D706C65" // believed
        + "04000900000005000000656D707479" // believed
        + "05008500000004000000636861740300000077733100BB0100000000000000000000FFFF0A0000010201000000020000000300000004000000010001"
        + "12000000636F6E6E656374696F6E20726566757365640600000000000000070000000700000072656675736564010800000000000000020900000000"
        + "00000003000000353033020500000000000000" // health
        + "0600170000000400000063686174030000007773320A00000000000000"; // slow start

    private static readonly Instant Now = new(TimeSpan.TicksPerDay);

    public static Preparation Full { get; } = new()
    {
        Seed = 0xFEDC_BA98_7654_3210,
        Generation = 7,
        Overrides =
        [
            new SavedOverride("chat", "ws1", new BackendOverride(BackendMode.Draining, 5)
            {
                ModeOrigin = new OverrideOrigin("admin uid 0", DateTimeOffset.UnixEpoch.AddDays(1), DateTimeOffset.UnixEpoch.AddDays(2)),
                WeightOrigin = new OverrideOrigin("m2: admin", DateTimeOffset.UnixEpoch.AddDays(3), null) { IsShared = true },
            }, 100),
        ],
        Names = [("chat", new HostName("ws.example.com", 443), new NameAddresses(Samples.At("10.0.0.1:1").Address, [Samples.At("[2001:db8::1]:1").Address]))],
        Believed =
        [
            ("chat", [new DiscoveredBackend(Samples.At("10.0.0.9:80")) { Name = "w", Weight = 3, Backup = true, MaxConnections = 9, PublicUrl = "wss://a.example" }]),
            ("empty", []),
        ],
        Health =
        [
            new CarriedHealth("chat", "ws1", Samples.At("10.0.0.1:443"), new TrackedHealth(HealthState.Down, 1, 2, 3, 4, true, false, true))
            {
                Detail = "connection refused",
                Last = new LastProbe(new Instant(5), ProbeOutcome.Unfit, "503"),
                LastTransition = new Instant(6),
                FailedConnects = 7,
                ConnectFault = "refused",
                IsConnectFaultTold = true,
                TrialAt = new Instant(8),
                Status = BackendStatus.Down,
                StatusSince = new Instant(9),
            },
        ],
        SlowStarts = [("chat", "ws2", new Instant(10))],
    };

    [Test]
    public void Golden_preparation_of_version_1_is_read_as_it_was_meant_and_written_again()
    {
        Preparation? read = Preparation.Read(Convert.FromHexString(FirstVersion), out string fault);
        Assert.That(fault, Is.Empty);
        Assert.That(Convert.ToHexString(read!.ToBytes()), Is.EqualTo(FirstVersion));
        Assert.That(Convert.ToHexString(Full.ToBytes()), Is.EqualTo(FirstVersion));
        Assert.That((read.Seed, read.Generation), Is.EqualTo((Full.Seed, Full.Generation)));
        Assert.That(read.Overrides, Is.EqualTo(Full.Overrides));
        Assert.That(read.Health, Is.EqualTo(Full.Health));
        Assert.That(read.SlowStarts, Is.EqualTo(Full.SlowStarts));
        Assert.That(read.Believed.Select(b => (b.Pool, string.Join(' ', b.Set))), Is.EqualTo(Full.Believed.Select(b => (b.Pool, string.Join(' ', b.Set)))));
        (string pool, HostName name, NameAddresses addresses) = read.Names.Single();
        Assert.That((pool, name, addresses.Current), Is.EqualTo(("chat", Full.Names[0].Name, Full.Names[0].Addresses.Current)));
        Assert.That(addresses.Others, Is.EqualTo(Full.Names[0].Addresses.Others));
        Assert.That(read.Resolutions["chat", name]!.Current, Is.EqualTo(addresses.Current));
    }

    [Test]
    public void Preparation_of_a_later_version_is_read_without_what_is_not_known_and_refused_if_that_is_mandatory()
    {
        byte[] later = Full.ToBytes();
        later[0] = 2;
        var more = new FieldWriter();
        more.End(more.Begin(900));
        Assert.That(Preparation.Read([.. later, .. more.Written], out string fault)?.Health, Is.EqualTo(Full.Health), fault);
        more.End(more.Begin(900 | FieldWriter.Mandatory));
        Assert.That(Preparation.Read([.. later, .. more.Written], out fault), Is.Null);
        Assert.That(fault, Is.EqualTo("version 2 with the unknown field 900"));
    }

    [Test]
    public void Overrides_hold_as_after_a_reload()
    {
        BalancerConfig Config(int weight, string backend = "ws1") => new()
        {
            Pools = [new PoolSettings { Name = "chat", Backends = [new BackendSettings { Name = backend, Address = "10.0.0.1:443", Weight = weight }] }],
        };

        BackendOverride set = Full.Overrides[0].Set;
        Assert.That(Full.OverridesFor(Config(100))["chat", "ws1"], Is.EqualTo(set));
        Assert.That(Full.OverridesFor(Config(50))["chat", "ws1"], Is.EqualTo(set with { Weight = null, WeightOrigin = null }), "the file has another weight");
        Assert.That(Full.OverridesFor(Config(100, "other")).All, Is.Empty);
    }

    [Test]
    public void Preparation_that_is_wrong_is_refused_and_never_throws()
    {
        byte[] whole = Full.ToBytes();
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.That(Preparation.Read(whole.AsSpan(0, length), out string fault) is null, Is.EqualTo(fault.Length > 0));
        }

        var random = new Random(5);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] spoilt = [.. whole];
            for (int n = random.Next(1, 6); n > 0; n--)
            {
                spoilt[random.Next(spoilt.Length)] = (byte)random.Next(256);
            }

            Preparation.Read(spoilt, out _)?.ToBytes();
        }
    }

    [Test]
    public void Health_goes_on_where_it_was_counts_included()
    {
        RoutingSnapshot before = Probed();
        var old = new HealthBoard();
        old.Sync(before, Now);
        foreach (ProbeOutcome outcome in (ProbeOutcome[])[ProbeOutcome.Success, ProbeOutcome.Failure, ProbeOutcome.Failure])
        {
            old.Report(before.Pools[0].Backends[0], outcome, "refused", Now + TimeSpan.FromSeconds(1));
        }

        Report(old, before, 1, ProbeOutcome.Success, ProbeOutcome.Failure, ProbeOutcome.Failure, ProbeOutcome.Failure, ProbeOutcome.Success);

        RoutingSnapshot after = Probed();
        CarriedHealth[] carried = [.. Carried(old)];
        HealthBoard.Mark(after, carried);
        Assert.That(after.Pools[0].IsDown(1), Is.True, "before anything serves");
        var young = new HealthBoard { Carried = carried };
        young.Sync(after, Now + TimeSpan.FromSeconds(5));

        Assert.That((after.Pools[0].HealthOf(0), after.Pools[0].HealthOf(1)), Is.EqualTo((HealthState.Up, HealthState.Down)));
        BackendState down = after.Pools[0].Backends[1].State;
        Assert.That((down.Health.Detail, down.Health.Last!.Outcome), Is.EqualTo(("refused", ProbeOutcome.Success)));
        Assert.That((down.StatusSince, down.Health.Transitions), Is.EqualTo((before.Pools[0].Backends[1].State.StatusSince, 0L)), "nothing has changed");

        Report(young, after, 0, ProbeOutcome.Failure);
        Report(young, after, 1, ProbeOutcome.Success);
        Assert.That((after.Pools[0].HealthOf(0), after.Pools[0].HealthOf(1)), Is.EqualTo((HealthState.Down, HealthState.Up)), "third bad one, second good one");
    }

    [Test]
    public void Health_of_another_address_or_of_a_check_that_is_off_does_not_go_over()
    {
        RoutingSnapshot before = Probed();
        var old = new HealthBoard();
        old.Sync(before, Now);
        Report(old, before, 0, ProbeOutcome.Failure);
        Report(old, before, 1, ProbeOutcome.Failure);

        PoolSettings pool = ProbedPool();
        PoolSettings moved = pool with
        {
            Backends = [pool.Backends[0] with { Address = "10.9.9.9:80", Endpoint = SetupScene.At("10.9.9.9:80") }, pool.Backends[1]],
        };
        RoutingSnapshot after = new SetupScene(moved).Snapshot;
        new HealthBoard { Carried = Carried(old) }.Sync(after, Now);
        Assert.That((after.Pools[0].HealthOf(0), after.Pools[0].HealthOf(1)), Is.EqualTo((HealthState.Up, HealthState.Down)));

        RoutingSnapshot unprobed = new SetupScene(SetupScene.PoolOf(2) with { Health = new HealthSettings { Type = HealthType.None } }).Snapshot;
        new HealthBoard { Carried = Carried(old) }.Sync(unprobed, Now);
        Assert.That(unprobed.Pools[0].HealthOf(1), Is.EqualTo(HealthState.Up));
    }

    [Test]
    public void Backend_that_clients_found_down_gets_its_trial_when_it_was_planned()
    {
        PoolSettings pool = SetupScene.PoolOf(2) with { Health = new HealthSettings { Type = HealthType.None }, Passive = new PassiveSettings { Failures = 2, Retry = TimeSpan.FromSeconds(10) } };
        RoutingSnapshot before = new SetupScene(pool).Snapshot;
        BackendState failing = before.Pools[0].Backends[0].State;
        var old = new HealthBoard();
        old.Sync(before, Now);
        failing.Connects.CountFailed("refused", 2, 0);
        Assert.That(old.OnPassiveEvent(failing, failing.Connects.CountFailed("refused", 2, 0), Now), Is.True);

        RoutingSnapshot after = new SetupScene(pool).Snapshot;
        var young = new HealthBoard { Carried = Carried(old) };
        young.Sync(after, Now + TimeSpan.FromSeconds(3));
        BackendState known = after.Pools[0].Backends[0].State;
        Assert.That((after.Pools[0].IsDown(0), young.NextTrial, known.Connects.FailedInARow), Is.EqualTo((true, Now + TimeSpan.FromSeconds(10), 2)));
        young.AllowTrials(Now + TimeSpan.FromSeconds(10));
        Assert.That(known.Connects.IsTrialFree, Is.True);

        RoutingSnapshot third = new SetupScene(pool).Snapshot;
        var next = new HealthBoard { Carried = Carried(young) };
        next.Sync(third, Now + TimeSpan.FromSeconds(11));
        next.AllowTrials(Now + TimeSpan.FromSeconds(11));
        Assert.That(third.Pools[0].Backends[0].State.Connects.IsTrialFree, Is.True, "a trial without a result is let through again");
    }

    // Through the bytes.
    private static ImmutableArray<CarriedHealth> Carried(HealthBoard board) =>
        Preparation.Read((Full with { Health = [.. board.Known()] }).ToBytes(), out _)!.Health;

    private static PoolSettings ProbedPool() =>
        SetupScene.PoolOf(2) with { Health = new HealthSettings { Type = HealthType.Tcp, Rise = 2, Fall = 3 } };

    private static RoutingSnapshot Probed() => new SetupScene(ProbedPool()).Snapshot;

    private static void Report(HealthBoard board, RoutingSnapshot snapshot, int backend, params ProbeOutcome[] outcomes)
    {
        foreach (ProbeOutcome outcome in outcomes)
        {
            board.Report(snapshot.Pools[0].Backends[backend], outcome, outcome == ProbeOutcome.Success ? "" : "refused", Now + TimeSpan.FromSeconds(1));
        }
    }
}
