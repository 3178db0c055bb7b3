using L4Balancer.Core.Accounting;

namespace L4Balancer.Control;

/// <summary>Connections of one backend that are being closed at a pace: how far it has come, for whoever asks.</summary>
/// <param name="Planned">How many there were to close when it began.</param>
internal sealed record Shedding(BackendCell Cell, CloseReason Reason, int Planned)
{
    private readonly long _before = Cell.Shed[Reason];

    public long Closed => Cell.Shed[Reason] - _before;
}

/// <summary>Connections that are being closed at a pace, until all of them are or it is stopped.</summary>
internal abstract class PacedClose
{
    /// <summary>Completes, and never fails, when nothing is closed any more.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    protected CancellationToken Stopped => Source.Token;

    // It has no timer, hence nothing to dispose of.
    private CancellationTokenSource Source { get; } = new();

    /// <param name="failed">Called with an exception that has ended it.</param>
    /// <param name="ended">Called when it has ended, for whatever reason.</param>
    public void Start(Action<Exception> failed, Action ended) => Completion = Task.Run(async () =>
    {
        try
        {
            await RunAsync();
        }
        catch (Exception e)
        {
            failed(e);
        }
        finally
        {
            ended();
        }
    });

    /// <summary>What has not been closed by now stays.</summary>
    public void Stop() => Source.Cancel();

    protected abstract Task RunAsync();
}
