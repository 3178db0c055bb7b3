using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Tests.Control;

/// <summary>An engine that closes what an order wants at once, one order each time that a test says so.</summary>
internal sealed class SheddingEngine : IEngine
{
    private readonly SemaphoreSlim _begun = new(0);
    private readonly SemaphoreSlim _mayGo = new(0);
    private readonly SemaphoreSlim _done = new(0);
    private Action _after = static () => { };

    public string Name => "shedding";

    public int Count => 0;

    public IReadOnlyList<Endpoint> Bound => [];

    public long HeldBytes => 0;

    /// <summary>Waits until an order has come, and leaves it to <see cref="RoundAsync"/>.</summary>
    public async Task BeginsAsync()
    {
        Assert.That(await _begun.WaitAsync(DaemonProcess.Deadline), Is.True);
        _begun.Release();
    }

    /// <summary>Carries out the next order.</summary>
    /// <param name="after">Called when its connections are closed, before the order has ended.</param>
    public async Task RoundAsync(Action after)
    {
        Assert.That(await _begun.WaitAsync(DaemonProcess.Deadline), Is.True);
        _after = after;
        _mayGo.Release();
        Assert.That(await _done.WaitAsync(DaemonProcess.Deadline), Is.True);
    }

    public async Task<int> ShedAsync(ShedOrder order, CancellationToken cancel)
    {
        _begun.Release();
        try
        {
            await _mayGo.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            return 0;
        }

        int closed = 0;
        foreach ((BackendState backend, int quota) in order.Quotas!)
        {
            for (int i = 0; i < quota; i++, closed++)
            {
                backend.Shed.Count(order.Reason);
                backend.CountClosed(order.Reason);
            }
        }

        _after();
        _done.Release();
        return closed;
    }

    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot) => [];

    public IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot) => [];

    public IReadOnlyList<ListenFailure> FollowPools() => [];

    public void List(Action<OpenConnection> visit)
    {
    }

    public Task ReportLivingAsync(TimeSpan over, CancellationToken cancel) => Task.CompletedTask;

    public IReadOnlyList<WorkerLoad> LoopStatistics() => [];

    public Task PingLoopsAsync() => Task.CompletedTask;

    public bool Close(ulong id, CloseReason reason) => false;

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
