using L4Balancer.Configuration;

namespace L4Balancer.Control;

/// <summary>
/// One reload after the other. The file is read beside the queue of changes, so that one that cannot be read holds up nothing; what it
/// says is put in force by the one writer. Any thread may ask.
/// </summary>
internal sealed class Reloads(ControlQueue queue, ConfigSource source) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _ending = new();

    /// <param name="begin">Called by the writer before the file is read.</param>
    /// <param name="apply">Called by the writer with what was read.</param>
    /// <param name="end">Called by the writer, whatever the reload came to.</param>
    /// <exception cref="ObjectDisposedException">The daemon is at its end.</exception>
    public async Task<ReloadResult> RunAsync(Action begin, Func<ReadConfig, ReloadResult> apply, Action end)
    {
        CancellationToken ending = Ending();
        try
        {
            await _turn.WaitAsync(ending);
            try
            {
                return await OneAsync(begin, apply, end, ending);
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (OperationCanceledException e) when (ending.IsCancellationRequested)
        {
            throw new ObjectDisposedException("The daemon stops.", e);
        }
    }

    /// <summary>Whoever still waits for a file waits in vain; whoever asks later is told so.</summary>
    public void Dispose() => _ending.Cancel();

    private CancellationToken Ending()
    {
        ObjectDisposedException.ThrowIf(_ending.IsCancellationRequested, this);
        return _ending.Token;
    }

    private async Task<ReloadResult> OneAsync(
        Action begin, Func<ReadConfig, ReloadResult> apply, Action end, CancellationToken ending)
    {
        await queue.RunAsync(() =>
        {
            begin();
            return true;
        });
        ReadConfig read = await source.ReadAsync(ending);
        return await queue.RunAsync(() =>
        {
            try
            {
                return apply(read);
            }
            finally
            {
                end();
            }
        });
    }
}
