namespace L4Balancer.Tests.Discovery;

/// <summary>A real daemon whose backends stand in DNS.</summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[NonParallelizable]
internal sealed class DnsDiscoveryTests
{
    [Test]
    public async Task Under_load_backends_are_added_reweighed_removed_and_drained()
    {
        await using NameServer server = await NameServer.StartAsync("");
        await using DiscoveryLoadScene scene = await DiscoveryLoadScene.StartAsync(
            $"dns = \"{NameServer.Service}\"\n  servers = [\"{server.Address}\"]", server.WriteAsync, light: 1);

        await scene.AddReweighRemoveAndDrainAsync();
    }
}
