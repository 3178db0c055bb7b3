using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery.RedisSentinel;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery.RedisSentinel;

/// <summary>
/// What the source reads from real Sentinels over a real master with its replicas. Everything is read again only after ten minutes, unless a test says
/// otherwise: what arrives, arrives by events.
/// </summary>
[TestFixture]
[Parallelizable]
internal sealed class SentinelSourceTests
{
    [Test]
    public async Task Failover_moves_master_and_replicas_and_what_was_killed_returns_as_a_replica()
    {
        await using RedisServers redis = await RedisServers.StartAsync(replicas: 2, sentinels: 3);
        string[] data = [.. redis.Data.Select(d => d.Server)];
        await using WatchedSource master = Watch(redis, SentinelRole.Master);
        await using WatchedSource replicas = Watch(redis, SentinelRole.Replica);
        SourceReading.Complete first = await master.SetAsync(data[0]);
        Assert.That(first.Version, Is.EqualTo("epoch 0"));
        await replicas.SetAsync([.. data.Skip(1).Order(StringComparer.Ordinal)]);

        await redis.Data[2].KillAsync();
        await replicas.SetAsync(data[1]);
        await redis.Data[2].StartAsync();
        await replicas.SetAsync([.. data.Skip(1).Order(StringComparer.Ordinal)]);

        await redis.Data[0].KillAsync();
        var promoted = (SourceReading.Complete)await master.NextAsync(
            r => r is SourceReading.Complete read && read.Backends[0].Address.ToString() != data[0], "another master");
        string now = promoted.Backends.Single().Address.ToString();
        Assert.That(promoted.Version, Is.Not.EqualTo("epoch 0"));
        Assert.That(data.Skip(1), Does.Contain(now));
        string other = data.Skip(1).Single(d => d != now);
        await replicas.SetAsync(other);
        Assert.That(
            replicas.SinceMark.Concat(master.SinceMark).OfType<SourceReading.Complete>().SelectMany(r => r.Backends).Select(b => b.Address.ToString()),
            Is.SubsetOf((string[])[now, other]), "none goes back");

        await redis.Data[0].StartAsync();
        await replicas.SetAsync([.. ((string[])[data[0], other]).Order(StringComparer.Ordinal)]);
    }

    [Test]
    public async Task Sentinel_that_is_killed_or_stopped_makes_way_for_the_next()
    {
        await using RedisServers redis = await RedisServers.StartAsync(replicas: 1, sentinels: 3);
        await using WatchedSource source = Watch(redis, SentinelRole.Master, timeout: TimeSpan.FromSeconds(1));
        string master = redis.Data[0].Server;
        await source.SetAsync(master);
        redis.Sentinels[0].Stop();
        Assert.That((await source.UnknownAsync("no byte from it for 0.7 s")).Why, Does.StartWith(redis.Sentinels[0].Server));
        await source.SetAsync(master);
        await redis.Sentinels[1].KillAsync();
        Assert.That((await source.UnknownAsync("closed the connection")).Why, Does.StartWith(redis.Sentinels[1].Server));
        await source.SetAsync(master);
        await redis.Sentinels[2].KillAsync();
        await source.UnknownAsync("no Sentinel answers: ");
        redis.Sentinels[0].Continue();
        await source.SetAsync(master);
        Assert.That(source.Sets, Is.EqualTo([master]));
    }

    [Test]
    public async Task Sentinel_that_does_not_know_the_master_makes_way_for_the_next_and_is_asked_again()
    {
        await using RedisServers redis = await RedisServers.StartAsync(replicas: 0, sentinels: 2);
        await RedisServers.AskAsync(redis.Sentinels[0].Port, "SENTINEL", "REMOVE", RedisServers.Service);
        await using WatchedSource source = Watch(redis, SentinelRole.Master);
        await source.SetAsync(redis.Data[0].Server);
        await RedisServers.AskAsync(redis.Sentinels[1].Port, "SENTINEL", "REMOVE", RedisServers.Service);
        await source.UnknownAsync("it does not know the master");
        string[] restored = ["SENTINEL", "MONITOR", RedisServers.Service, "127.0.0.1", $"{redis.Data[0].Port}", "1"];
        await RedisServers.AskAsync(redis.Sentinels[0].Port, restored);
        await source.SetAsync(redis.Data[0].Server);
    }

    [Test]
    public async Task Partition_is_unknown_until_it_ends()
    {
        await using RedisServers redis = await RedisServers.StartAsync(replicas: 0, sentinels: 1);
        bool isSilent = false;
        await using StubStore way = StubStore.Relay(redis.Sentinels[0].Port, () => Volatile.Read(ref isSilent));
        await using WatchedSource source = Watch(redis, SentinelRole.Master, timeout: TimeSpan.FromSeconds(1), servers: way.Server);
        await source.SetAsync(redis.Data[0].Server);
        Volatile.Write(ref isSilent, true);
        await source.UnknownAsync("no byte from it");
        Volatile.Write(ref isSilent, false);
        await source.SetAsync(redis.Data[0].Server);
        Assert.That(source.Sets, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Sentinel_alone_without_master_and_replicas_reports_no_empty_set()
    {
        await using RedisServers redis = await RedisServers.StartAsync(replicas: 1, sentinels: 2);
        await using WatchedSource source = Watch(redis, SentinelRole.Replica, new DiscoverySettings { Interval = TimeSpan.FromMilliseconds(200) });
        await source.SetAsync(redis.Data[1].Server);
        redis.Data.ForEach(d => d.Stop());
        await source.UnknownAsync("it reaches neither the master nor a replica");
        redis.Data.ForEach(d => d.Continue());
        await source.SetAsync(redis.Data[1].Server);
    }

    [Test]
    public async Task Password_is_needed_where_a_Sentinel_asks_for_one()
    {
        await using RedisServers redis = await RedisServers.StartAsync(
            replicas: 0, sentinels: 1, "requirepass s3cret", "user lb on >other ~* &* +@all");
        using var right = new TemporaryFile("s3cret\n");
        using var other = new TemporaryFile("other\n");
        await using (WatchedSource nobody = Watch(redis, SentinelRole.Master))
        {
            await nobody.UnknownAsync("NOAUTH");
        }

        await using (WatchedSource wrong = Watch(redis, SentinelRole.Master, new DiscoverySettings { User = "default", PasswordFile = other.Path }))
        {
            await wrong.UnknownAsync("the user and the password are not accepted");
        }

        await using (WatchedSource known = Watch(redis, SentinelRole.Master, new DiscoverySettings { User = "default", PasswordFile = right.Path }))
        {
            await known.SetAsync(redis.Data[0].Server);
        }

        await using WatchedSource named = Watch(redis, SentinelRole.Master, new DiscoverySettings { User = "lb", PasswordFile = other.Path });
        await named.SetAsync(redis.Data[0].Server);
    }

    [Test]
    public async Task TLS_is_used_with_an_authority_and_shows_the_client_s_certificate()
    {
        using var certificates = new StoreCertificates();
        using var others = new StoreCertificates();
        int port = StoreProcess.FreePorts(1)[0];
        await using RedisServers redis = await RedisServers.StartAsync(
            replicas: 0, sentinels: 1, $"tls-port {port}", $"tls-cert-file {certificates.ServerFile}", $"tls-key-file {certificates.ServerKeyFile}",
            $"tls-ca-cert-file {certificates.AuthorityFile}", "tls-auth-clients yes");
        string server = $"127.0.0.1:{port}";
        DiscoverySettings trusting = Trusting(certificates);
        await using (WatchedSource source = Watch(
            redis, SentinelRole.Master, trusting with { CertFile = certificates.ClientFile, KeyFile = certificates.ClientKeyFile }, servers: server))
        {
            await source.SetAsync(redis.Data[0].Server);
        }

        await using (WatchedSource anonymous = Watch(redis, SentinelRole.Master, trusting, servers: server))
        {
            await anonymous.UnknownAsync(server);
            Assert.That(anonymous.Sets, Is.Empty);
        }

        await using WatchedSource deceived = Watch(redis, SentinelRole.Master, Trusting(others), servers: server);
        await deceived.UnknownAsync("TLS: ");
    }

    private static DiscoverySettings Trusting(StoreCertificates certificates) =>
        new() { CaFile = certificates.AuthorityFile, CaCertificates = File.ReadAllText(certificates.AuthorityFile) };

    private static WatchedSource Watch(
        RedisServers redis, SentinelRole role, DiscoverySettings? settings = null, TimeSpan? timeout = null, params string[] servers)
    {
        settings ??= new DiscoverySettings();
        settings = settings with
        {
            Kind = DiscoveryKind.RedisSentinel,
            RedisSentinel = servers.Length > 0 ? [.. servers] : [.. redis.Sentinels.Select(s => s.Server)],
            Service = RedisServers.Service,
            Role = role,
            Interval = settings.Interval == new DiscoverySettings().Interval ? TimeSpan.FromMinutes(10) : settings.Interval,
        };
        return new WatchedSource(new SentinelSource(settings, TimeProvider.System) { Timeout = timeout ?? TimeSpan.FromSeconds(10), Random = new Random(1) });
    }
}
