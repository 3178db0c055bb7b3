using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Tests.Control;

/// <summary>An engine that closes nothing until the order is cancelled, or until a test declares everything closed.</summary>
internal sealed class StillEngine : IEngine
{
    private readonly TaskCompletionSource<int> _ended = new();
    private readonly TaskCompletionSource<ShedOrder> _ordered = new();

    public string Name => "still";

    public int Count => 0;

    public IReadOnlyList<Endpoint> Bound => [];

    /// <summary>The first order to close that it received.</summary>
    public Task<ShedOrder> Ordered => _ordered.Task;

    /// <summary>What comes of a snapshot.</summary>
    public Func<RoutingSnapshot, IReadOnlyList<ListenFailure>> OnPublish { get; set; } = static _ => [];

    /// <summary>It has closed what there was; done when that has been taken in.</summary>
    public async Task EndAsync(Func<bool> taken)
    {
        _ended.SetResult(0);
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (int i = 0; !taken() && i < 2000; i++)
        {
            await steps.WaitForNextTickAsync();
        }

        Assert.That(taken());
    }

    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot) => [];

    public IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot) => OnPublish(snapshot);

    /// <summary>What comes of binding again.</summary>
    public Func<IReadOnlyList<ListenFailure>> OnFollowPools { get; set; } = static () => [];

    public IReadOnlyList<ListenFailure> FollowPools() => OnFollowPools();

    public void List(Action<OpenConnection> visit)
    {
    }

    public IReadOnlyList<WorkerLoad> Loads { get; set; } = [];

    public IReadOnlyList<WorkerLoad> LoopStatistics() => Loads;

    public long HeldBytes => 0;

    public Task PingLoopsAsync() => Task.CompletedTask;

    public bool Close(ulong id, CloseReason reason) => false;

    public async Task<int> ShedAsync(ShedOrder order, CancellationToken cancel)
    {
        _ordered.TrySetResult(order);
        try
        {
            return await _ended.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            return 0;
        }
    }

    public Task ReportLivingAsync(TimeSpan over, CancellationToken cancel) => Task.CompletedTask;

    public int Connecting => 0;

    public Task<FrozenSlice?> FreezeAsync(int most, CancellationToken cancel) => Task.FromResult<FrozenSlice?>(null);

    public Task<IReadOnlyList<AdoptFailure>> AdoptAsync(IReadOnlyList<ExportedConnection> connections) => throw new NotSupportedException();

    public Task<FrozenSlice> TakeFrozenAsync(IReadOnlyList<ExportedConnection> connections) => throw new NotSupportedException();

    public IReadOnlyList<ListeningDescriptor> ListeningDescriptors => [];

    public Task<IReadOnlySet<ulong>> CookiesAsync() => throw new NotSupportedException();

    public void ShareListening() => throw new NotSupportedException();

    public Task StopAcceptingAsync() => throw new NotSupportedException();

    public void ResumeAccepting() => throw new NotSupportedException();

    public Task StopAsync(TimeSpan grace, CancellationToken atOnce) => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
