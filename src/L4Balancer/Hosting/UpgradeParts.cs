using L4Balancer.Upgrade;

namespace L4Balancer.Hosting;

/// <summary>The control plane of a daemon, on its way to a new process.</summary>
internal sealed class UpgradeParts(ControlServers servers) : IUpgradeParts
{
    public IReadOnlyList<UpgradeSocket> Sockets => [];

    public ReadOnlyMemory<byte> Prepare() => default;

    public Task PauseAsync() => Task.CompletedTask;

    public void Resume()
    {
    }

    public ReadOnlyMemory<byte> State() => default;

    public ReadOnlyMemory<byte> TakeDifferences() => default;

    public void Leave() => _ = servers;
}
