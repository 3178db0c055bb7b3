using L4Balancer.Upgrade;

namespace L4Balancer.Hosting;

/// <summary>What of a daemon goes over to a new process beside the data plane. One thread at a time.</summary>
internal interface IUpgradeParts
{
    /// <summary>The listening sockets of the control plane.</summary>
    IReadOnlyList<UpgradeSocket> Sockets { get; }

    /// <summary>What must be known before the new process builds anything.</summary>
    Task<ReadOnlyMemory<byte>> PrepareAsync();

    /// <summary>Nothing is answered any more about the state: it may be taken then.</summary>
    Task PauseAsync();

    /// <summary>Goes on after <see cref="PauseAsync"/>.</summary>
    void Resume();

    /// <summary>Counters and whatever else the new process goes on with.</summary>
    /// <param name="sockets">All that listen.</param>
    Task<UpgradeState> StateAsync(IReadOnlyList<UpgradeSocket> sockets);

    /// <summary>What has changed since <see cref="StateAsync"/>, or since the last call.</summary>
    ReadOnlyMemory<byte> TakeDifferences();
}
