using L4Balancer.Upgrade;

namespace L4Balancer.Hosting;

/// <summary>The control plane of a daemon, on its way to a new process.</summary>
internal sealed class UpgradeParts(ControlServers servers) : IUpgradeParts
{
    public IReadOnlyList<UpgradeSocket> Sockets =>
        [.. servers.Sockets.All.Select(static s => new UpgradeSocket(UpgradeSocket.Control, s.Descriptor) { Name = s.Name })];

    public ReadOnlyMemory<byte> Prepare() => default;

    public Task PauseAsync()
    {
        servers.Sockets.RemovesFiles = false;
        return servers.PauseAsync();
    }

    public void Resume()
    {
        servers.Sockets.RemovesFiles = true;
        servers.Resume();
    }

    public ReadOnlyMemory<byte> State() => default;

    public ReadOnlyMemory<byte> TakeDifferences() => default;

    public void Leave()
    {
    }
}
