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

    private static string NameOf(string address) => string.Create(CultureInfo.InvariantCulture, $"ws-{address[(address.LastIndexOf(':') + 1)..]}");

    private static Task<IStore> StartAsync(string kind) => kind switch
    {
        "http" => HttpStore.StartAsync(),
        "etcd" => EtcdStore.StartAsync(),
        "consul" => ConsulStore.StartAsync(),
        _ => KubernetesStore.StartAsync(),
    };
}
