namespace L4Balancer.Engine.Listening;

/// <summary>
/// Listening sockets whose address has left the configuration: each takes no new SYN, serves queued connections and handshakes in progress,
/// and is closed after a second. All members but <see cref="CancelAsync"/> are to be called under the lock.
/// </summary>
/// <param name="gate">Held while the sockets change; event loops only try to enter it, and never block on it.</param>
internal sealed class RetiringSockets<TSocket>(IAcceptControl<TSocket> accepting, TimeProvider clock, Lock gate) : IDisposable
    where TSocket : ListeningSocket
{
    /// <summary>Time for handshakes in progress at a retirement to complete.</summary>
    private static readonly TimeSpan Retirement = TimeSpan.FromSeconds(1);

    /// <summary>Time between two attempts to empty a queue.</summary>
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(5);

    private readonly CancellationTokenSource _ending = new();
    private readonly List<TSocket> _all = [];
    private bool _isOver;

    public IReadOnlyList<TSocket> All => _all;

    /// <summary>The socket is closed by this object, unless it returns.</summary>
    public void Begin(TSocket socket)
    {
        TimeSpan time = socket.BeginRetirement() ? Retirement : TimeSpan.Zero;
        _all.Add(socket);
        _ = CloseLaterAsync(socket, socket.RetirementEpoch, time);
    }

    /// <summary>Its address is served again.</summary>
    public void Return(TSocket socket)
    {
        _all.Remove(socket);
        socket.CancelRetirement();
    }

    /// <summary>None is closed by this object from now on.</summary>
    /// <returns>Those that are left, for the caller to close.</returns>
    public TSocket[] End()
    {
        _isOver = true;
        TSocket[] left = [.. _all];
        _all.Clear();
        return left;
    }

    /// <summary>Ends what waits, after <see cref="End"/>.</summary>
    public Task CancelAsync() => _ending.CancelAsync();

    public void Dispose() => _ending.Dispose();

    private async Task CloseLaterAsync(TSocket socket, int epoch, TimeSpan time)
    {
        CancellationToken ending = _ending.Token;
        try
        {
            await Task.Delay(time, clock, ending).ConfigureAwait(false);
            Task unwatched;
            lock (gate)
            {
                if (_isOver || socket.RetirementEpoch != epoch)
                {
                    return;
                }

                // Under the lock, so that this request precedes the request to watch that a return makes.
                unwatched = accepting.UnwatchAsync(socket);
            }

            await unwatched.ConfigureAwait(false);
            while (socket.RetirementEpoch == epoch
                && !await accepting.DrainBacklogAsync(socket, () => TryClose(socket, epoch)).ConfigureAwait(false))
            {
                await Task.Delay(Again, clock, ending).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The engine is stopping and closes the socket.
        }
    }

    /// <returns>False if another thread holds the lock and may be changing the socket.</returns>
    private bool TryClose(TSocket socket, int epoch)
    {
        if (!gate.TryEnter())
        {
            return false;
        }

        try
        {
            if (!_isOver && socket.RetirementEpoch == epoch)
            {
                _all.Remove(socket);
                socket.Dispose();
            }

            return true;
        }
        finally
        {
            gate.Exit();
        }
    }
}
