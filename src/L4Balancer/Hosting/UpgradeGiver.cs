using System.Runtime.Versioning;
using L4Balancer.Core.Handover;
using L4Balancer.Engine;
using L4Balancer.Engine.Linux;
using L4Balancer.Upgrade;

namespace L4Balancer.Hosting;

/// <summary>This daemon as the one that is replaced. One thread at a time.</summary>
/// <param name="hello">Who it is.</param>
/// <param name="parts">What goes over beside sockets and connections.</param>
/// <param name="handOver">Makes another process the main one of the service.</param>
[SupportedOSPlatform("linux")]
internal sealed class UpgradeGiver(IEngine engine, UpgradeHello hello, IUpgradeParts parts, Action<int> handOver) : IUpgradeGiver
{
    /// <summary>For what the new process opens itself, and for connections that are accepted meanwhile.</summary>
    private const int Spare = 128;

    /// <summary>Called when it goes on after all.</summary>
    public Action Resumed { get; init; } = static () => { };

    private bool _hasStopped;
    private bool _isSuspended;

    public UpgradeHello Hello => hello;

    public long DescriptorsNeeded => Descriptors.CountOpen() + Spare;

    public int Open => engine.Count;

    public int Connecting => engine.Connecting;

    public Task<ReadOnlyMemory<byte>> PrepareAsync() => parts.PrepareAsync();

    public async Task<UpgradeState> SuspendAsync()
    {
        _isSuspended = true;
        engine.ShareListening();
        await parts.PauseAsync();
        return await parts.StateAsync([.. engine.ListeningDescriptors.Select(Listening), .. parts.Sockets]);
    }

    public async Task StopAcceptingAsync()
    {
        _hasStopped = true;
        await engine.StopAcceptingAsync();
    }

    public async Task<IFrozenConnections?> FreezeAsync(int most) =>
        await engine.FreezeAsync(most, CancellationToken.None) is FrozenSlice slice ? new Frozen(slice) : null;

    public ReadOnlyMemory<byte> TakeDifferences() => parts.TakeDifferences();

    public void GiveUpMain(int process) => handOver(process);

    public Task ResumeAsync()
    {
        Resumed();
        // Also where nothing was stopped: the other process, which has ended, may have been woken for a client that it did not accept.
        if (_hasStopped || _isSuspended)
        {
            engine.ResumeAccepting();
        }

        if (_isSuspended)
        {
            parts.Resume();
        }

        return Task.CompletedTask;
    }

    private static UpgradeSocket Listening(ListeningDescriptor socket) => new(UpgradeSocket.Listener, socket.Descriptor)
    {
        Name = socket.Listener,
        Requested = socket.Requested.ToString(),
        Bound = socket.Bound.ToString(),
        IsFromService = socket.IsFromService,
    };

    private sealed class Frozen(FrozenSlice slice) : IFrozenConnections
    {
        public IReadOnlyList<UpgradeConnection> Connections { get; } = [.. slice.Connections.Select(Of)];

        public Task<IReadOnlyList<RequestedClose>> CommitAsync(IReadOnlySet<ulong> taken) => slice.CommitAsync(taken);

        public Task ThawAsync() => slice.ThawAsync();

        private static UpgradeConnection Of(ExportedConnection c) => new(c.Record.Id, CarriedRecord.Of(c.Record, c.End).ToBytes())
        {
            Client = c.Client,
            Backend = c.Backend,
            ClientIsUnix = c.ClientIsUnix,
            LastActivity = c.LastActivity,
            ToBackend = c.ToBackend,
            ToClient = c.ToClient,
            PipeToBackend = c.PipeToBackend,
            PipeToClient = c.PipeToClient,
            ClientCookie = SocketCookie.Of(c.Client),
            BackendCookie = SocketCookie.Of(c.Backend),
        };
    }
}
