using System.Net;
using L4Balancer.Core.Discovery;
using L4Balancer.Tests.Discovery.RedisSentinel;
using L4Balancer.Tests.Discovery.Stores;
using L4Balancer.Tests.Discovery.Zookeeper;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery;

/// <summary>
/// A real daemon that is cut off from its store: packets are dropped, so that neither side sees an end. What is believed stays, and what has
/// changed meanwhile is believed afterwards.
/// </summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.All)]
[Category(DaemonProcess.OfLogic)]
internal sealed class PartitionTests
{
    private const string Nodes = "/chat";

    [TestCase("http")]
    [TestCase("etcd")]
    [TestCase("consul")]
    [TestCase("kubernetes")]
    public async Task Cut_off_from_a_store_of_HTTP_a_daemon_goes_on_with_what_it_knows(string kind)
    {
        using var network = new CutNetwork();
        await using IStore store = await (kind switch
        {
            "http" => HttpStore.StartAsync(network.Near),
            "etcd" => EtcdStore.StartAsync(network.Near),
            "consul" => ConsulStore.StartAsync(network.Near),
            _ => KubernetesStore.StartAsync(network.Near),
        });
        await using var backends = new Backends(network);
        await store.PutAsync("ws1", backends[0]);
        await store.PutAsync("ws2", backends[1]);
        int port = new Uri(store.Toml.Split('"')[1]).Port;

        // Watches last longer than it takes to cut them.
        await using PartitionScene scene = await PartitionScene.StartAsync(network, port, $"{store.Toml}\ninterval = \"{(kind == "http" ? 1 : 5)}s\"", 2);
        await scene.CutAsync(() => store.PutAsync("ws3", backends[2]), "1 added, 0 removed, 0 changed", 3);
    }

    [Test]
    public async Task Cut_off_from_ZooKeeper_a_daemon_goes_on_with_what_it_knows()
    {
        using var network = new CutNetwork();
        await using ZookeeperServer zookeeper = await ZookeeperServer.StartAsync(network.Near);
        await using var backends = new Backends(network);
        await PutAsync(backends[0]);
        await PutAsync(backends[1]);
        await using PartitionScene scene = await PartitionScene.StartAsync(
            network, zookeeper.Process.Port, $"zookeeper = [\"{zookeeper.Server}\"]\nprefix = \"{Nodes}/\"", 2);
        await scene.CutAsync(() => PutAsync(backends[2]), "1 added, 0 removed, 0 changed", 3);

        // With a session of its own each time: nobody keeps one alive meanwhile.
        async Task PutAsync(string address)
        {
            await using ZookeeperRegistrar registrar = await ZookeeperRegistrar.OpenAsync(zookeeper.Server);
            await registrar.PutAsync($"{Nodes}/{address}", $$"""{"address":"{{address}}"}""");
        }
    }

    [Test]
    public async Task Cut_off_from_a_Sentinel_a_daemon_goes_on_with_what_it_knows()
    {
        using var network = new CutNetwork();
        await using RedisServers redis = await RedisServers.StartAsync(network.Near, replicas: 2, sentinels: 1);
        string discovery = $"redis_sentinel = [\"{redis.Sentinels[0].Server}\"]\nservice = \"{RedisServers.Service}\"\nrole = \"replica\"\ninterval = \"5s\"";
        await using PartitionScene scene = await PartitionScene.StartAsync(network, redis.Sentinels[0].Port, discovery, 2);
        await scene.CutAsync(redis.AddReplicaAsync, "1 added, 0 removed, 0 changed", 3);
    }

    [Test]
    public async Task Cut_off_from_its_name_server_a_daemon_goes_on_with_what_it_knows()
    {
        using var network = new CutNetwork();
        await using NameServer server = await NameServer.StartAsync("", network.Near);
        await using var backends = new Backends(network);
        await server.WriteAsync(backends.Take(2));
        await using PartitionScene scene = await PartitionScene.StartAsync(
            network, server.Address.Port, $"dns = \"{NameServer.Service}\"\nservers = [\"{server.Address}\"]", 2);
        await scene.CutAsync(() => server.WriteAsync(backends.Take(3)), "1 added, 0 removed, 0 changed", 3);
    }

    // Backends on this host that the daemon reaches.
    private sealed class Backends(CutNetwork network) : IAsyncDisposable
    {
        private readonly RecordingBackend[] _all = [.. Enumerable.Range(0, 3).Select(_ => new RecordingBackend(IPAddress.Parse(network.Near)))];

        public string this[int number] => _all[number].Address.ToString();

        public IReadOnlyList<DiscoveredBackend> Take(int count) => [.. _all.Take(count).Select(static b => new DiscoveredBackend(b.Address))];

        public async ValueTask DisposeAsync()
        {
            foreach (RecordingBackend backend in _all)
            {
                await backend.DisposeAsync();
            }
        }
    }
}
