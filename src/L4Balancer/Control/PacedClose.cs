using L4Balancer.Core.Accounting;

namespace L4Balancer.Control;

/// <summary>The progress of closing connections of one backend at a limited rate.</summary>
/// <param name="Planned">The number of connections to close, as it is known by now: those that are closed already included.</param>
internal sealed record Shedding(BackendState State, CloseReason Reason, int Planned)
{
    private readonly long _before = State.Shed[Reason];

    public long Closed => State.Shed[Reason] - _before;
}

/// <summary>A task that closes connections at a limited rate, until all of them are closed or it is stopped.</summary>
internal abstract class PacedClose
{
    /// <summary>Completes when no more connections are closed; never fails.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    protected CancellationToken Stopped => Source.Token;

    // The token source has no timer, so it need not be disposed of.
    private CancellationTokenSource Source { get; } = new();

    /// <param name="failed">Called with the exception if one ended it.</param>
    /// <param name="ended">Called when it has ended, for any reason.</param>
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

    /// <summary>Stops the close; connections that are not closed yet stay.</summary>
    public void Stop() => Source.Cancel();

    protected abstract Task RunAsync();
}
