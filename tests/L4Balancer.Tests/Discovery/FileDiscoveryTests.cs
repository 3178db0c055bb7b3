namespace L4Balancer.Tests.Discovery;

/// <summary>A real daemon whose backends stand in a file.</summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[NonParallelizable]
internal sealed class FileDiscoveryTests
{
    [Test]
    public async Task Under_load_backends_are_added_reweighed_removed_and_drained()
    {
        using var file = new BackendsToml();
        await using DiscoveryLoadScene scene = await DiscoveryLoadScene.StartAsync($"file = \"{file.Path}\"", file.WriteAsync);

        await scene.AddReweighRemoveAndDrainAsync();
    }
}
