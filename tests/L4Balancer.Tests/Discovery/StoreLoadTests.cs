using System.Globalization;
using L4Balancer.Core.Discovery;
using L4Balancer.Tests.Discovery.Stores;

namespace L4Balancer.Tests.Discovery;

/// <summary>A real daemon whose backends stand in a store that is spoken to by HTTP.</summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[NonParallelizable]
internal sealed class StoreLoadTests
{
    [TestCase("http")]
    [TestCase("etcd")]
    [TestCase("consul")]
    [TestCase("kubernetes")]
    public async Task Under_load_backends_are_added_reweighed_removed_and_drained(string kind)
    {
        await using IStore store = await StartAsync(kind);
        Dictionary<string, int> written = [];
        await using DiscoveryLoadScene scene = await DiscoveryLoadScene.StartAsync($"{store.Toml}\ninterval = \"1s\"", WriteAsync);
        await scene.AddReweighRemoveAndDrainAsync(store.HasWeights, NameOf);

        async Task WriteAsync(IReadOnlyList<DiscoveredBackend> backends)
        {
            foreach (DiscoveredBackend backend in backends)
            {
                string address = backend.Address.ToString();
                if (!written.TryGetValue(address, out int weight) || weight != backend.Weight)
                {
                    await store.PutAsync(NameOf(address), address, backend.Weight);
                    written[address] = backend.Weight;
                }
            }

            foreach (string gone in written.Keys.Except(backends.Select(b => b.Address.ToString())).ToArray())
            {
                await store.RemoveAsync(NameOf(gone));
                written.Remove(gone);
            }
        }
    }

    [Test]
    public async Task Under_load_an_etcd_that_is_killed_stopped_and_wiped_changes_nothing()
    {
        await using IStore store = await EtcdStore.StartAsync();
        IReadOnlyList<DiscoveredBackend> all = [];
        await using DiscoveryLoadScene scene = await DiscoveryLoadScene.StartAsync($"{store.Toml}\ninterval = \"1s\"", WriteAsync);
        int outages = 0;
        foreach (StoreTrouble trouble in (StoreTrouble[])[StoreTrouble.Down, StoreTrouble.Silent])
        {
            int said = Said(scene, "says nothing");
            await scene.NothingChangesWhileAsync(async () =>
            {
                await store.DisturbAsync(trouble);
                await scene.UntilAsync(() => Task.FromResult(Said(scene, "says nothing") > said), $"{trouble} is noticed");
            });
            await store.DisturbAsync(StoreTrouble.None);
            await scene.Daemon.LineWithAsync("answers again", ++outages);
        }

        await scene.NothingChangesWhileAsync(async () =>
        {
            await store.WipeAsync();
            await scene.Daemon.LineWithAsync("has only 0 backends");
        });
        await scene.NothingChangesWhileAsync(async () =>
        {
            await WriteAsync(all);
            await scene.Daemon.LineWithAsync("backends again that are in use");
        });

        async Task WriteAsync(IReadOnlyList<DiscoveredBackend> backends)
        {
            all = backends;
            foreach (DiscoveredBackend backend in backends)
            {
                await store.PutAsync(NameOf(backend.Address.ToString()), backend.Address.ToString(), backend.Weight);
            }
        }
    }

    private static int Said(DiscoveryLoadScene scene, string text) => scene.Daemon.Output.Count(l => l.Contains(text, StringComparison.Ordinal));

    private static string NameOf(string address) => string.Create(CultureInfo.InvariantCulture, $"ws-{address[(address.LastIndexOf(':') + 1)..]}");

    private static Task<IStore> StartAsync(string kind) => kind switch
    {
        "http" => HttpStore.StartAsync(),
        "etcd" => EtcdStore.StartAsync(),
        "consul" => ConsulStore.StartAsync(),
        _ => KubernetesStore.StartAsync(),
    };
}
