using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Balancing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Sticky;

/// <summary>Where an entry of <c>[pools.sticky]</c> sends a connection, and when it does not.</summary>
internal sealed class StickyPickTests
{
    private static readonly TimeSpan Ttl = TimeSpan.FromMinutes(10);

    private static readonly PoolSettings Three = SetupScene.PoolOf(3) with
    {
        Balance = BalanceKind.RoundRobin,
        Sticky = new StickySettings { Ttl = Ttl },
    };

    [Test]
    public void Connections_of_one_key_follow_the_first()
    {
        var scene = new SetupScene(Three);
        int home = Connect(scene);

        Assert.That(Enumerable.Range(0, 5).Select(_ => Connect(scene)), Is.All.EqualTo(home));
        Assert.That(Connect(scene, port: 40_001), Is.Not.EqualTo(home), "another key goes around");
        Assert.That(Count(scene), Is.EqualTo(2));
    }

    [Test]
    public void Two_connections_of_one_key_that_come_together_go_to_the_same()
    {
        var scene = new SetupScene(Three);

        SetupAttempt first = scene.Accept();
        SetupAttempt second = scene.Accept();

        Assert.That(second.Backend, Is.EqualTo(first.Backend));
    }

    [Test]
    public void A_key_is_known_for_its_ttl_after_its_last_connection()
    {
        var scene = new SetupScene(Three);
        SetupAttempt first = scene.Accept();
        first.Connected();
        int home = first.Backend;
        scene.Pass(2 * Ttl);
        Assert.That(Count(scene), Is.EqualTo(1), "it lives");
        Close(scene, first);

        scene.Pass(Ttl - TimeSpan.FromSeconds(1));
        SetupAttempt second = scene.Accept();
        second.Connected();
        Assert.That(second.Backend, Is.EqualTo(home));
        Close(scene, second);

        scene.Pass(Ttl);
        Assert.That(Count(scene), Is.Zero);
        Assert.That(scene.Accept().Backend, Is.Not.EqualTo(home));
    }

    [TestCase("down")]
    [TestCase("draining")]
    [TestCase("maintenance")]
    [TestCase("half-open")]
    [TestCase("full")]
    [TestCase("weight 0")]
    [TestCase("removed")]
    public void A_backend_that_takes_nobody_new_is_picked_anew_for_good(string fault)
    {
        var scene = new SetupScene(Three);
        SetupAttempt first = scene.Accept();
        first.Connected();
        int home = first.Backend;
        string name = first.Record.Backend!.Name;
        BackendSettings[] others = [.. Three.Backends.Where(b => b.Name != name)];
        BackendSettings own = Three.Backends.Single(b => b.Name == name);
        switch (fault)
        {
            case "down":
                scene.Pool.SetHealth(new Dictionary<int, HealthState> { [home] = HealthState.Down });
                break;
            case "half-open":
                scene.Pool.SetHealth(new Dictionary<int, HealthState> { [home] = HealthState.HalfOpen });
                break;
            case "draining":
                scene.Pool.SetMode(home, BackendMode.Draining);
                break;
            case "maintenance":
                scene.Pool.SetMode(home, BackendMode.Maintenance);
                break;
            case "full":
                scene.Reload(Three with { Backends = [.. others, own with { MaxConnections = 1 }] });
                break;
            case "weight 0":
                scene.Reload(Three with { Backends = [.. others, own with { Weight = 0 }] });
                break;
            default:
                scene.Reload(Three with { Backends = [.. others] });
                break;
        }

        SetupAttempt second = scene.Accept();
        second.Connected();
        string elsewhere = second.Record.Backend!.Name;
        Assert.That(elsewhere, Is.Not.EqualTo(name));

        // Everything is as it was: the key stays where it is now.
        scene.Reload(Three);
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Up, [1] = HealthState.Up, [2] = HealthState.Up });
        Enumerable.Range(0, 3).ToList().ForEach(i => scene.Pool.SetMode(i, BackendMode.Ready));
        Close(scene, first);
        SetupAttempt third = scene.Accept();
        Assert.That(third.Record.Backend!.Name, Is.EqualTo(elsewhere));
    }

    [Test]
    public void A_failed_connect_rewrites_the_entry()
    {
        var scene = new SetupScene(Three);
        int home = Connect(scene);
        SetupAttempt second = scene.Accept();
        second.Fail(ConnectFailure.Refused);
        second.Connected();

        Assert.That(second.Backend, Is.Not.EqualTo(home));
        Assert.That(Connect(scene), Is.EqualTo(second.Backend));
    }

    [Test]
    public void A_key_that_was_never_connected_leaves_nothing()
    {
        var scene = new SetupScene(Three);
        SetupAttempt attempt = scene.Accept();
        Assert.That(Count(scene), Is.EqualTo(1), "others of its key follow it meanwhile");
        attempt.Abandon(CloseReason.ClientReset);

        Assert.That(Count(scene), Is.Zero);
    }

    [TestCase(BalanceKind.Ring)]
    [TestCase(BalanceKind.Maglev)]
    [TestCase(BalanceKind.LeastConnections)]
    [TestCase(BalanceKind.RandomTwo)]
    [TestCase(BalanceKind.RoundRobin)]
    public void Keys_stay_where_they_are_whatever_joins_and_whatever_the_balance(BalanceKind balance)
    {
        PoolSettings pool = Three with { Balance = balance };
        var scene = new SetupScene(pool);
        string[] before = [.. Enumerable.Range(0, 200).Select(i => ConnectedTo(scene, i))];
        scene.Reload(pool with { Backends = SetupScene.PoolOf(6).Backends });

        Assert.That(Enumerable.Range(0, 200).Select(i => ConnectedTo(scene, i)), Is.EqualTo(before));
        Assert.That(Enumerable.Range(200, 200).Select(i => ConnectedTo(scene, i)), Does.Contain("b5"), "others go to the new ones");
    }

    [Test]
    public void A_reload_with_another_size_keeps_the_keys_and_one_without_a_table_drops_them()
    {
        var scene = new SetupScene(Three);
        string[] before = [.. Enumerable.Range(0, 100).Select(i => ConnectedTo(scene, i))];
        foreach (int entries in new[] { 20_000, 500 })
        {
            scene.Pass(TimeSpan.FromSeconds(1));
            scene.Reload(Three with { Sticky = Three.Sticky with { Entries = entries } });
            Assert.That(Enumerable.Range(0, 5).Select(i => ConnectedTo(scene, i)), Is.EqualTo(before[..5]), $"{entries} entries");
        }

        scene.Reload(Three with { Sticky = new StickySettings() });
        Assert.That(scene.Pool.Sticky, Is.Null);
    }

    [Test]
    public void A_reload_with_another_size_does_not_begin_the_ttl_of_a_living_connection()
    {
        var scene = new SetupScene(Three);
        SetupAttempt living = scene.Accept();
        living.Connected();
        scene.Reload(Three with { Sticky = Three.Sticky with { Entries = 20_000 } });
        scene.Pass(2 * Ttl);
        Assert.That(Count(scene), Is.EqualTo(1), "it lives");
        Close(scene, living);
        scene.Pass(Ttl - TimeSpan.FromSeconds(1));

        Assert.That(scene.Accept().Backend, Is.EqualTo(living.Backend));
    }

    [Test]
    public void A_smaller_size_is_reached_by_the_connections_that_come()
    {
        PoolSettings pool = Three with { Sticky = Three.Sticky with { Entries = 1000 } };
        var scene = new SetupScene(pool);
        scene.Accept(1).Connected();
        for (int i = 0; i < 9; i++)
        {
            ConnectedTo(scene, i);
        }

        Assert.That(Count(scene), Is.EqualTo(10));
        scene.Reload(pool with { Sticky = pool.Sticky with { Entries = 3 } });
        for (int i = 20; i < 30; i++)
        {
            ConnectedTo(scene, i);
        }

        Assert.That(Count(scene), Is.LessThanOrEqualTo(3));
    }

    [Test]
    public void A_primary_that_is_back_gets_its_connections_though_a_backup_had_them()
    {
        PoolSettings pool = Three with { Backends = [Three.Backends[0], Three.Backends[1] with { Backup = true }] };
        var scene = new SetupScene(pool);
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down });
        Assert.That(Connect(scene), Is.EqualTo(1));
        scene.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Up });

        Assert.That(Connect(scene), Is.Zero);
    }

    [Test]
    public void While_a_pool_is_rebalanced_an_entry_holds_nothing_back()
    {
        var scene = new SetupScene(Three);
        int home = Connect(scene);
        scene.Pool.State.Targets = scene.Pool.Backends.ToDictionary(b => b.State, b => b.Index == home ? 1 : 10);

        Assert.That(Connect(scene), Is.Not.EqualTo(home));
    }

    [Test]
    public void What_an_entry_decides_can_be_asked_without_changing_it()
    {
        var scene = new SetupScene(Three);
        SetupAttempt first = scene.Accept();
        Assert.That(scene.Pool.FollowedBy(first.Record.Tuple, scene.Now), Is.EqualTo(first.Backend));
        first.Connected();
        Assert.That(scene.Pool.FollowedBy(first.Record.Tuple, scene.Now), Is.EqualTo(first.Backend));
        Close(scene, first);
        scene.Pass(Ttl);

        Assert.That(scene.Pool.FollowedBy(first.Record.Tuple, scene.Now), Is.EqualTo(Pool.None));
    }

    private static int Count(SetupScene scene) => scene.Pool.Sticky!.Count(Ttl, scene.Now);

    private static int Connect(SetupScene scene, ushort port = 40_000)
    {
        SetupAttempt attempt = scene.Accept(port);
        attempt.Connected();
        return attempt.Backend;
    }

    // Connects and closes.
    private static string ConnectedTo(SetupScene scene, int client)
    {
        SetupAttempt attempt = scene.Accept((ushort)(20_000 + client));
        attempt.Connected();
        string name = attempt.Record.Backend!.Name;
        Close(scene, attempt);
        return name;
    }

    private static void Close(SetupScene scene, SetupAttempt attempt) =>
        attempt.Record.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, scene.Now);
}
