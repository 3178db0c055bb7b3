using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Zookeeper;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery.Zookeeper;

/// <summary>
/// What the source reads from a real server. Everything is read again only after ten minutes, unless a test says otherwise: what arrives, arrives by
/// watches.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.Self)]
internal sealed class ZookeeperSourceTests
{
    private const string Prefix = "/l4balancer/default/pools/chat/backends/";

    private ZookeeperServer _zookeeper = null!;
    private ZookeeperRegistrar _registrar = null!;
    private static int _tests;
    private string _prefix = Prefix;

    [OneTimeSetUp]
    public async Task StartAsync() => _zookeeper = await ZookeeperServer.StartAsync();

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        if (_zookeeper is not null)
        {
            await _zookeeper.DisposeAsync();
        }
    }

    [SetUp]
    public async Task OpenAsync()
    {
        _prefix = $"/test{Interlocked.Increment(ref _tests)}{Prefix}";
        _registrar = await ZookeeperRegistrar.OpenAsync(_zookeeper.Server);
    }

    [TearDown]
    public async Task CloseAsync() => await _registrar.DisposeAsync();

    [Test]
    public async Task Nodes_that_are_added_removed_and_reweighed_arrive_by_watches()
    {
        await using WatchedSource source = Watch();
        SourceReading.Complete none = await source.SetAsync();
        Assert.That(none.Version, Does.StartWith("zxid 0x").And.Contains("there is no node"));

        await PutAsync("ws1", "10.0.0.1:443");
        await source.SetAsync("10.0.0.1:443");
        await PutAsync("ws2", "10.0.0.2:443");
        SourceReading.Complete two = await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
        Assert.That(two.Backends.Select(b => b.Name), Is.EqualTo(["ws1", "ws2"]));
        await PutAsync("ws1", "10.0.0.1:443", 20);
        await source.SetAsync("10.0.0.1:443=20", "10.0.0.2:443");
        await _registrar.DeleteAsync(_prefix + "ws2");
        await source.SetAsync("10.0.0.1:443=20");
        await _registrar.DeleteAsync(_prefix + "ws1");
        await source.SetAsync();
        await _registrar.DeleteAsync(_prefix.TrimEnd('/'));
        Assert.That((await source.SetAsync()).Version, Does.Contain("there is no node"));
        await PutAsync("ws3", "10.0.0.3:443");
        await source.SetAsync("10.0.0.3:443");
        Assert.That(source.SinceMark, Is.Empty);
    }

    [Test]
    public async Task Value_that_is_no_backend_makes_all_unknown_until_it_is_one()
    {
        await PutAsync("ws1", "10.0.0.1:443");
        await using WatchedSource source = Watch();
        await source.SetAsync("10.0.0.1:443");
        await _registrar.PutAsync(_prefix + "ws2", "{\"address\":\"10.0.0");
        await source.UnknownAsync("\"ws2\": no backend can be read from its JSON");
        await PutAsync("ws2", "10.0.0.2:443");
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
    }

    [Test]
    public async Task Many_nodes_are_read_at_once_and_changes_that_come_together_are_one_reading()
    {
        string[] all = [.. Enumerable.Range(0, 1500).Select(i => $"10.1.{i / 250}.{i % 250}:443")];
        foreach (string address in all)
        {
            await PutAsync(address.Replace(':', '-'), address);
        }

        await using WatchedSource source = Watch();
        await source.SetAsync([.. all.Order(StringComparer.Ordinal)]);
        int before = source.Mark;
        foreach (string address in all.Take(500))
        {
            await PutAsync(address.Replace(':', '-'), address, 7);
        }

        await source.SetAsync([.. all.Select((a, i) => i < 500 ? a + "=7" : a).Order(StringComparer.Ordinal)]);
        Assert.That(source.Mark - before, Is.LessThan(100), "readings for 500 changes");
    }

    [Test]
    public async Task Ephemeral_node_of_a_dead_backend_goes_with_its_session_and_a_second_registration_of_one_address_counts_once()
    {
        await PutAsync("ws1", "10.0.0.1:443");
        await using WatchedSource source = Watch();
        await source.SetAsync("10.0.0.1:443");
        ZookeeperRegistrar backend = await ZookeeperRegistrar.OpenAsync(_zookeeper.Server, TimeSpan.FromMilliseconds(500));
        await backend.PutAsync(_prefix + "member-0000000001", Json("10.0.0.2:443", 30), isEphemeral: true);
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443=30");
        await _registrar.PutAsync(_prefix + "member-0000000002", Json("10.0.0.2:443", 40));
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443=40");
        backend.Abandon();
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443=40");
        await _registrar.DeleteAsync(_prefix + "member-0000000002");
        await source.SetAsync("10.0.0.1:443");
        await backend.DisposeAsync();
    }

    [Test]
    public async Task Node_that_only_a_user_may_read_is_unknown_without_the_password()
    {
        string digest = Convert.ToBase64String(Hash("lb:s3cret"));
        await PutAsync("ws1", "10.0.0.1:443");
        await _registrar.PutAsync(_prefix + "ws2", Json("10.0.0.2:443"), owner: ("digest", $"lb:{digest}"));
        using var right = new TemporaryFile("s3cret\n");
        using var wrong = new TemporaryFile("secret\n");
        await using (WatchedSource nobody = Watch())
        {
            await nobody.UnknownAsync("\"ws2\": this user may not read the node");
        }

        await using (WatchedSource stranger = Watch(new DiscoverySettings { User = "lb", PasswordFile = wrong.Path }))
        {
            await stranger.UnknownAsync("\"ws2\": this user may not read the node");
        }

        await using WatchedSource known = Watch(new DiscoverySettings { User = "lb", PasswordFile = right.Path });
        await known.SetAsync("10.0.0.1:443", "10.0.0.2:443");
    }

    [Test]
    public async Task Missing_password_file_is_unknown()
    {
        await using WatchedSource source = Watch(new DiscoverySettings { User = "lb", PasswordFile = "/nowhere/password" });
        Assert.That((await source.UnknownAsync("/nowhere/password")).Why, Does.Contain(_zookeeper.Server));
    }

    [Test]
    public async Task Everything_is_read_again_at_each_interval()
    {
        await PutAsync("ws1", "10.0.0.1:443");
        await using WatchedSource source = Watch(new DiscoverySettings { Interval = TimeSpan.FromMilliseconds(100) });
        for (int i = 0; i < 3; i++)
        {
            await source.SetAsync("10.0.0.1:443");
        }
    }

    [Test]
    public async Task Idle_session_lives_on_by_pings()
    {
        await PutAsync("ws1", "10.0.0.1:443");
        var idle = Stopwatch.StartNew();
        var timeout = TimeSpan.FromSeconds(3);
        await using WatchedSource source = Watch(sessionTimeout: timeout);
        await source.SetAsync("10.0.0.1:443");

        // Another session of the same length that is not kept alive expires meanwhile.
        ZookeeperRegistrar mute = await ZookeeperRegistrar.OpenAsync(_zookeeper.Server, timeout);
        await mute.PutAsync(_prefix + "ws2", Json("10.0.0.2:443"), isEphemeral: true);
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
        await source.SetAsync("10.0.0.1:443");
        Assert.That(idle.Elapsed, Is.GreaterThan(timeout * 0.8));
        Assert.That(source.Faults, Is.Empty, "no reading in between was unknown");
        await mute.DisposeAsync();
    }

    [Test]
    public async Task Stopped_server_is_unknown_until_it_goes_on()
    {
        await PutAsync("ws1", "10.0.0.1:443");
        await using WatchedSource source = Watch(sessionTimeout: TimeSpan.FromSeconds(1));
        await source.SetAsync("10.0.0.1:443");
        _zookeeper.Process.Stop();
        try
        {
            await source.UnknownAsync("no byte from it for 0.7 s");
            await source.UnknownAsync("no answer in time");
        }
        finally
        {
            _zookeeper.Process.Continue();
        }

        await source.SetAsync("10.0.0.1:443");
        Assert.That(source.Sets, Is.EqualTo(["10.0.0.1:443"]));
    }

    [Test]
    public async Task Partition_is_unknown_and_what_changed_behind_it_arrives_after_it()
    {
        await PutAsync("ws1", "10.0.0.1:443");
        bool isSilent = false;
        await using StubStore way = StubStore.Relay(_zookeeper.Process.Port, () => Volatile.Read(ref isSilent));
        await using WatchedSource source = Watch(sessionTimeout: TimeSpan.FromSeconds(1), servers: way.Server);
        await source.SetAsync("10.0.0.1:443");
        Volatile.Write(ref isSilent, true);
        await source.UnknownAsync("no byte from it");
        await PutAsync("ws2", "10.0.0.2:443");
        Volatile.Write(ref isSilent, false);
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
        Assert.That(source.Sets, Has.Length.EqualTo(2));
    }

    [Test]
    public async Task Killed_wiped_and_restored_server_reports_what_it_holds()
    {
        await using ZookeeperServer own = await ZookeeperServer.StartAsync();
        ZookeeperRegistrar registrar = await ZookeeperRegistrar.OpenAsync(own.Server);
        await registrar.PutAsync(_prefix + "ws1", Json("10.0.0.1:443"));
        await registrar.PutAsync(_prefix + "ws2", Json("10.0.0.2:443"));
        await registrar.DisposeAsync();
        await using WatchedSource source = Watch(servers: own.Server);
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
        await own.Process.KillAsync();
        await source.UnknownAsync("connection refused");
        await own.Process.StartAsync();
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
        await own.WipeAsync();
        await source.UnknownAsync(own.Server);
        Assert.That((await source.SetAsync()).Version, Does.Contain("there is no node"));
        await own.RestoreAsync();
        await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
    }

    private WatchedSource Watch(DiscoverySettings? settings = null, TimeSpan? sessionTimeout = null, params string[] servers)
    {
        settings ??= new DiscoverySettings();
        settings = settings with
        {
            Kind = DiscoveryKind.Zookeeper,
            Zookeeper = servers.Length > 0 ? [.. servers] : [_zookeeper.Server],
            Interval = settings.Interval == new DiscoverySettings().Interval ? TimeSpan.FromMinutes(10) : settings.Interval,
        };
        return new WatchedSource(
            new ZookeeperSource(settings, _prefix, TimeProvider.System) { SessionTimeout = sessionTimeout ?? TimeSpan.FromSeconds(10), Random = new Random(1) });
    }

    private async Task PutAsync(string node, string address, int weight = 100) => await _registrar.PutAsync(_prefix + node, Json(address, weight));

    private static string Json(string address, int weight = 100) => $$"""{"address":"{{address}}","weight":{{weight}}}""";

    // DigestAuthenticationProvider in ZooKeeper's sources.
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "ZooKeeper's own")]
    private static byte[] Hash(string text) => SHA1.HashData(Encoding.UTF8.GetBytes(text));
}
