using L4Balancer.Upgrade;

namespace L4Balancer.Hosting;

/// <summary>What of a daemon goes over to a new process beside the data plane. One thread at a time.</summary>
internal interface IUpgradeParts
{
    /// <summary>The listening sockets of the control plane.</summary>
    IReadOnlyList<UpgradeSocket> Sockets { get; }

    /// <summary>What must be known before the new process builds anything.</summary>
    ReadOnlyMemory<byte> Prepare();

    /// <summary>Nothing is answered any more about the state: it may be taken then.</summary>
    Task PauseAsync();

    /// <summary>Goes on after <see cref="PauseAsync"/>.</summary>
    void Resume();

    /// <summary>Counters and whatever else the new process goes on with.</summary>
    ReadOnlyMemory<byte> State();

    /// <summary>What has changed since <see cref="State"/>, or since the last call.</summary>
    ReadOnlyMemory<byte> TakeDifferences();

    /// <summary>The new process has it all: nothing is written, withdrawn or removed any more that is the new process's now.</summary>
    void Leave();
}
