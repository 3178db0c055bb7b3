using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// The two directions of one connection and the ends of its sides. The client is read while a backend is still looked for; from
/// <see cref="TryConnect"/> on bytes flow both ways. What several threads share stands under the gate.
/// </summary>
internal sealed class Relay
{
    private readonly Lock _gate = new();
    private readonly ManagedEngine _engine;
    private readonly Closing _closing;
    private readonly Side _client;
    private readonly Direction _toBackend;
    private readonly Direction _toClient;
    private readonly Meter _meter;
    private Task<FillEnd> _fromClient = Task.FromResult(FillEnd.Stopped);
    private Side? _backend;
    private Side? _firstFinished;
    private ConnectionPolicy? _policy;

    public Relay(ManagedEngine engine, Closing closing, Socket client)
    {
        _engine = engine;
        _closing = closing;
        _client = Side.Client(client);
        _meter = new Meter(engine);
        _toBackend = new Direction(_meter.Received, _meter.SentToBackend);
        _toClient = new Direction(_meter.Received, _meter.SentToClient);
    }

    public long BytesToBackend => _meter.BytesToBackend;

    public long BytesToClient => _meter.BytesToClient;

    public Instant LastActivity => _meter.LastActivity;

    /// <summary>The reason where nobody closed or reset the connection: both sides have finished, and this one was the first.</summary>
    public CloseReason FinishedReason => _firstFinished?.ClosedReason ?? CloseReason.Internal;

    /// <summary>Our FIN went to the backend before its own came, and nobody has reset the connection.</summary>
    public bool WasFirstAtBackend
    {
        get
        {
            lock (_gate)
            {
                return _backend is { LeavesTimeWait: true };
            }
        }
    }

    /// <summary>Reads the client up to the pipe's threshold; only a socket that is being read tells of its reset.</summary>
    public void ReadClient() => _fromClient = FillAsync(_toBackend, _client);

    /// <summary>There is a backend: <see cref="RunAsync"/> may begin.</summary>
    /// <param name="gone">The backend has reset it, and no receive will say so.</param>
    /// <returns>False where the connection has met its end meanwhile; the socket stays the caller's.</returns>
    public bool TryConnect(Socket backend, ConnectionPolicy policy, RelayedBytes traffic, bool gone)
    {
        lock (_gate)
        {
            if (_closing.HasCause)
            {
                return false;
            }

            _meter.Begin(traffic);
            _policy = policy;
            _backend = Side.Backend(backend);
        }

        if (gone)
        {
            NoteReset(_backend);
        }

        return true;
    }

    /// <summary>Both directions to their end, and the farewell where it is we who close.</summary>
    public async Task RunAsync()
    {
        Task<FillEnd> fromBackend = FillAsync(_toClient, _backend!);
        await Task.WhenAll(
            GuardAsync(PassOnAsync(_toBackend, _fromClient, _client, _backend!), _fromClient),
            GuardAsync(PassOnAsync(_toClient, fromBackend, _backend!, _client), fromBackend)).ConfigureAwait(false);
        if (_closing.Reading.IsCancellationRequested)
        {
            // Closed by us: what was read is written by now. Wait for the peers to close as well.
            await Task.WhenAll(LeaveAsync(_client), LeaveAsync(_backend!)).ConfigureAwait(false);
        }
    }

    /// <summary>Acts on deadlines that have passed. Nothing is due here before there is a backend.</summary>
    public void CheckDeadlines(Instant now)
    {
        TimeSpan quiet;
        CloseReason reason;
        lock (_gate)
        {
            if (_backend is null)
            {
                return;
            }

            (quiet, reason) = _firstFinished is null
                ? (_policy!.IdleTimeout, CloseReason.IdleTimeout)
                : (_policy!.HalfCloseTimeout, CloseReason.HalfCloseTimeout);
        }

        if (_closing.IsGraceOver)
        {
            _closing.StopDiscarding();
            _client.ResetUnlessFinished();
            _backend.ResetUnlessFinished();
        }
        else if (now >= _meter.LastActivity.After(quiet))
        {
            _closing.Ask(reason);
        }
    }

    /// <summary>Resets both peers without waiting for anything.</summary>
    public void Abort(CloseReason reason)
    {
        _closing.Note(reason);

        // First of all: what stops reading goes on to an orderly close, and a peer that has seen a FIN no longer sees the reset.
        Side? backend;
        lock (_gate)
        {
            // A backend that connects at this moment is seen here, or it sees the cause.
            backend = _backend;
        }

        _client.Reset();
        backend?.Reset();
        _closing.StopReading();
        _closing.StopDiscarding();
    }

    /// <summary>Closes both sockets and gives the pipes back. <see cref="RunAsync"/> is over, or was never begun.</summary>
    public async Task EndAsync()
    {
        if (_backend is null)
        {
            _client.Reset();
        }

        await ((Task)_fromClient).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client.Socket.Dispose();
        _backend?.Socket.Dispose();
        _toBackend.Release();
        _toClient.Release();
    }

    // One direction: write what is read; then pass the source's end on to the sink.
    private async Task PassOnAsync(Direction direction, Task<FillEnd> fill, Side source, Side sink)
    {
        if (!await direction.DrainAsync(sink.Socket).ConfigureAwait(false))
        {
            // The other direction still carries what the sink's peer had sent, and resets the source after it; unless it is done.
            if (NoteReset(sink))
            {
                await source.ResetAfterDeliveryAsync(_closing, _engine.Options.Clock).ConfigureAwait(false);
            }

            await fill.ConfigureAwait(false);
            return;
        }

        switch (await fill.ConfigureAwait(false))
        {
            // A reset that a send ran into leaves nothing but an end of file to the receives after it.
            case FillEnd.Finished when !NoteFinished(source):
            case FillEnd.Gone:
                await sink.ResetAfterDeliveryAsync(_closing, _engine.Options.Clock).ConfigureAwait(false);
                break;
            case FillEnd.Finished:
            case FillEnd.Stopped:
                Finish(sink);
                break;
        }
    }

    // An exception in one direction ends both, and nothing reads on into a pipe that is given back.
    private async Task GuardAsync(Task direction, Task fill)
    {
        try
        {
            await direction.ConfigureAwait(false);
        }
        catch
        {
            Abort(CloseReason.Internal);
            throw;
        }
        finally
        {
            await fill.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<FillEnd> FillAsync(Direction direction, Side source)
    {
        try
        {
            FillEnd end = await direction.FillAsync(source.Socket, _closing.Reading).ConfigureAwait(false);
            if (end == FillEnd.Finished)
            {
                // The half-close timeout counts from here, however long the connection was quiet before.
                _meter.Touch();
                lock (_gate)
                {
                    source.FinRead = true;
                    _firstFinished ??= source;
                }
            }
            else if (end == FillEnd.Gone)
            {
                NoteReset(source);
            }

            return end;
        }
        catch
        {
            Abort(CloseReason.Internal);
            throw;
        }
    }

    /// <returns>Whether everything that this side had sent is delivered, and its direction at its end.</returns>
    private bool NoteReset(Side side)
    {
        bool finished;
        bool isBeingSetUp;
        _closing.Note(side.ResetReason);
        lock (_gate)
        {
            side.WasReset = true;
            finished = side.Finished;
            isBeingSetUp = _backend is null;
        }

        _closing.LimitGrace();
        if (isBeingSetUp)
        {
            _closing.StopReading();
        }

        return finished;
    }

    /// <returns>False where the side was reset before its end of file was passed on.</returns>
    private bool NoteFinished(Side side)
    {
        lock (_gate)
        {
            side.Finished = !side.WasReset;
            return side.Finished;
        }
    }

    // A second call finds the first one's answer: what is read after our FIN changes nothing.
    private void Finish(Side side)
    {
        lock (_gate)
        {
            side.WasFirst |= !side.FinRead;
        }

        side.Finish();
    }

    private Task LeaveAsync(Side side)
    {
        Finish(side);
        return side.DiscardAsync(_closing.Discarding);
    }
}
