using L4Balancer.Core.Discovery;

namespace L4Balancer.Tests.Discovery.Zookeeper;

/// <summary>A real daemon whose backends are nodes of a real ZooKeeper server.</summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[NonParallelizable]
internal sealed class ZookeeperDiscoveryTests
{
    private const string Prefix = "/l4balancer/default/pools/chat/backends/";

    [Test]
    public async Task Under_load_backends_are_added_reweighed_removed_and_drained_and_a_dead_store_changes_nothing()
    {
        await using ZookeeperServer zookeeper = await ZookeeperServer.StartAsync();
        await using ZookeeperRegistrar registrar = await ZookeeperRegistrar.OpenAsync(zookeeper.Server);
        Dictionary<string, int> written = [];
        await using DiscoveryLoadScene scene = await DiscoveryLoadScene.StartAsync($"zookeeper = [\"{zookeeper.Server}\"]", async set =>
        {
            foreach (DiscoveredBackend backend in set)
            {
                string node = backend.Address.ToString();
                if (!written.TryGetValue(node, out int weight) || weight != backend.Weight)
                {
                    written[node] = backend.Weight;
                    await registrar.PutAsync(Prefix + node, $$"""{"address":"{{node}}","weight":{{backend.Weight}}}""");
                }
            }

            foreach (string gone in written.Keys.Except(set.Select(b => b.Address.ToString())).ToArray())
            {
                written.Remove(gone);
                await registrar.DeleteAsync(Prefix + gone);
            }
        });

        await scene.AddReweighRemoveAndDrainAsync();

        await zookeeper.Process.KillAsync();
        await scene.Daemon.LineWithAsync("zookeeper says nothing");
        await scene.AllEstablishedLiveAsync();
    }
}
