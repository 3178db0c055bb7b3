using L4Balancer.Engine;

namespace L4Balancer.Upgrade;

/// <summary>Connections that stand still in the old process; as <see cref="FrozenSlice"/>.</summary>
internal interface IFrozenConnections
{
    IReadOnlyList<UpgradeConnection> Connections { get; }

    /// <summary>Gives up those that the new process has; the others go on here.</summary>
    /// <returns>What was asked of those that are given up, while they stood still.</returns>
    Task<IReadOnlyList<RequestedClose>> CommitAsync(IReadOnlySet<ulong> taken);

    /// <summary>All go on here.</summary>
    Task ThawAsync();
}

/// <summary>What <see cref="OldSide"/> asks of the daemon that is replaced. Called by one thread, in the order of an upgrade.</summary>
internal interface IUpgradeGiver
{
    UpgradeHello Hello { get; }

    /// <summary>Descriptors that the new process must be able to open, to take all that there is.</summary>
    long DescriptorsNeeded { get; }

    /// <summary>Connections, established or not.</summary>
    int Open { get; }

    /// <summary>Connections that are being set up.</summary>
    int Connecting { get; }

    /// <summary>What the new process must know before it starts (<see cref="UpgradePreparation.Image"/>).</summary>
    Task<ReadOnlyMemory<byte>> PrepareAsync();

    /// <summary>
    /// Stops answering about the state (admin API, metrics), so that nobody sees a counter step back, and then takes the state. What listens goes
    /// on to listen: who asks meanwhile waits for the new process.
    /// </summary>
    Task<UpgradeState> SuspendAsync();

    /// <summary>Accepts no connection any more; the new process does.</summary>
    Task StopAcceptingAsync();

    /// <returns>Null if the engine cannot; without connections if none is established.</returns>
    Task<IFrozenConnections?> FreezeAsync(int most);

    /// <summary>What has changed since <see cref="SuspendAsync"/>, or since the last call.</summary>
    ReadOnlyMemory<byte> TakeDifferences();

    /// <summary>This cannot be undone: the new process is the main one for the service manager, and has its watchdog.</summary>
    void GiveUpMain(int process);

    /// <summary>The upgrade has failed: accepts and answers again.</summary>
    Task ResumeAsync();
}
