using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// The two directions of one connection and the ends of its sides. The client is already read while a backend is being chosen; after
/// <see cref="TryConnect"/> bytes flow both ways. State shared between threads is guarded by the lock.
/// </summary>
internal sealed class Relay
{
    /// <summary>How soon a deadline is looked at again that had bytes waiting.</summary>
    private static readonly TimeSpan UnreadPause = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly ManagedEngine _engine;
    private readonly Closing _closing;
    private readonly SideSocket _client;
    private readonly Direction _toBackend;
    private readonly Direction _toClient;
    private readonly Meter _meter;
    private Task<FillEnd> _fromClient = Task.FromResult(FillEnd.Stopped);
    private readonly Action _halfClosed;
    private readonly Action _clientFinished;
    private SideSocket? _backend;
    private ReadOnlyMemory<byte> _preface;

    /// <param name="halfClosed">Called when one side has finished before the other.</param>
    /// <param name="clientFinished">Called when the client has sent FIN and nothing before it, while a backend is chosen and connected.</param>
    public Relay(ManagedEngine engine, Closing closing, Socket client, Action halfClosed, Action clientFinished)
    {
        _engine = engine;
        _halfClosed = halfClosed;
        _clientFinished = clientFinished;
        _closing = closing;
        _client = new SideSocket(client, Side.Client);
        _meter = new Meter(engine);
        _toBackend = new Direction(_meter.Received, _meter.SentToBackend, engine.Options.Held);
        _toClient = new Direction(_meter.Received, _meter.SentToClient, engine.Options.Held);
    }

    public long BytesToBackend => _meter.BytesToBackend;

    public long BytesToClient => _meter.BytesToClient;

    public Instant LastActivity => _meter.LastActivity;

    /// <summary>Reads the client up to the pipe's threshold; a reset is reported only on a socket that is being read.</summary>
    public void ReadClient() => _fromClient = FillAsync(_toBackend, _client);

    /// <summary>What the client sends, until a backend is connected.</summary>
    public Direction FromClient => _toBackend;

    /// <summary>Completes when the client is not read any more, and how it ended is known to <see cref="Closing"/>. Does not throw.</summary>
    public async Task ClientEndedAsync() => await ((Task)_fromClient).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Sets what the backend gets before the first byte of the client. Before <see cref="RunAsync"/>.</summary>
    public void SetPreface(ReadOnlyMemory<byte> preface) => _preface = preface;

    /// <summary>Sets the backend's socket, so that <see cref="RunAsync"/> may begin.</summary>
    /// <param name="gone">The backend has reset the connection, and no receive will report it.</param>
    /// <returns>False if the connection has ended meanwhile; the caller keeps the socket.</returns>
    public bool TryConnect(Socket backend, RelayedBytes traffic, bool gone)
    {
        lock (_gate)
        {
            if (_closing.HasCause)
            {
                return false;
            }

            _meter.Begin(traffic);
            _backend = new SideSocket(backend, Side.Backend);
        }

        if (gone)
        {
            _closing.WriteFailed(Side.Backend, LossKind.Reset);
        }

        return true;
    }

    /// <summary>Runs both directions to their end, followed by the lingering close if the balancer closes.</summary>
    public async Task RunAsync()
    {
        Task<FillEnd> fromBackend = FillAsync(_toClient, _backend!);
        await Task.WhenAll(
            GuardAsync(PassOnAsync(_toBackend, _fromClient, _client, _backend!, _preface), _fromClient),
            GuardAsync(PassOnAsync(_toClient, fromBackend, _backend!, _client, default), fromBackend)).ConfigureAwait(false);
        if (_closing.Reading.IsCancellationRequested)
        {
            // Closed by the balancer: the bytes read have been written. Wait for the peers to close as well.
            await Task.WhenAll(LingerAsync(_client), LingerAsync(_backend!)).ConfigureAwait(false);
        }

        _closing.Settle();
    }

    /// <summary>Acts on deadlines that have passed. No deadline is due before there is a backend.</summary>
    /// <returns>When the next one is due.</returns>
    public Instant CheckDeadlines(in ConnectionRecord record, Instant now)
    {
        Instant due = _closing.NextDeadline(record, _meter.LastActivity);
        if (now < due)
        {
            return due;
        }

        // A timeout that is due is believed only after a look at what the kernel holds: this process may have stood still.
        SendQueues queues = default;
        if (_closing.NeedsQueues(record, _meter.LastActivity, now))
        {
            // Not for a lingering close: a peer that still sends must not prolong it.
            if (!_closing.HasCause && (HasUnread(_client, _toBackend) || HasUnread(_backend!, _toClient)))
            {
                return now + UnreadPause;
            }

            queues = new SendQueues(_client.Unacknowledged, _backend!.Unacknowledged);
        }

        (EndActions actions, Instant next) = _closing.DeadlinePassed(record, _meter.LastActivity, queues, now);
        if ((actions & EndActions.Linger) != 0)
        {
            _closing.StopReading();
        }
        else if ((actions & EndActions.Close) != 0)
        {
            _closing.StopDiscarding();
            Reset(actions);
        }

        return next;
    }

    /// <summary>Closes at once by resetting both peers.</summary>
    public void Abort(CloseReason reason)
    {
        _closing.Abort(reason);

        // This comes first: once reading stops, an orderly close follows, and a peer that has received a FIN no longer sees the reset.
        SideSocket? backend;
        lock (_gate)
        {
            // A backend that connects at this moment is either seen here, or TryConnect sees the cause.
            backend = _backend;
        }

        _client.Reset();
        backend?.Reset();
        _closing.StopReading();
        _closing.StopDiscarding();
    }

    /// <summary>Closes both sockets and returns the pipes. <see cref="RunAsync"/> must have completed, or never have begun.</summary>
    public async Task EndAsync()
    {
        if (_backend is null)
        {
            _client.Reset();
        }

        // Where relaying never began, the client may have sent more than the pipe takes, and its reading waits for a writer.
        _toBackend.EndDraining();
        await ((Task)_fromClient).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client.Socket.Dispose();
        _backend?.Socket.Dispose();
        _toBackend.Release();
        _toClient.Release();
    }

    // Runs one direction: writes what is read, then passes the source's end on to the sink.
    private async Task PassOnAsync(
        Direction direction, Task<FillEnd> fill, SideSocket source, SideSocket sink, ReadOnlyMemory<byte> preface)
    {
        if (await direction.DrainAsync(sink.Socket, preface).ConfigureAwait(false))
        {
            await fill.ConfigureAwait(false);
            if (_closing.Delivered(source.Side) != EndActions.None)
            {
                sink.Finish();
            }
        }
        else
        {
            _closing.WriteFailed(sink.Side, direction.SinkLoss);
        }

        if (_closing.Settle() == EndActions.Flush)
        {
            await FlushAsync().ConfigureAwait(false);
        }
    }

    // One side was reset. The other is reset once it has received everything: a reset discards what the kernel still holds for it.
    private async Task FlushAsync()
    {
        EndActions actions;
        _engine.BeginFlush();
        try
        {
            while ((actions = _closing.Flushed(IsUnacknowledged(_client) || IsUnacknowledged(_backend!))) == EndActions.None)
            {
                await Task.Delay(ConnectionEnd.FlushPollOf(_engine.Flushing), _engine.Options.Clock).ConfigureAwait(false);
            }
        }
        finally
        {
            _engine.EndFlush();
        }

        Reset(actions);
    }

    // Bytes, a FIN or an error that the runtime has not reported yet. A direction whose sink takes nothing is not read, so what waits there
    // is no activity.
    private bool HasUnread(SideSocket source, Direction direction) =>
        _closing.IsRead(source.Side) && !direction.IsHeldUp && (source.IsReadable || direction.IsReading);

    private bool IsUnacknowledged(SideSocket side) => !_closing.IsLost(side.Side) && side.Unacknowledged > 0;

    private void Reset(EndActions actions)
    {
        if ((actions & EndActions.ResetClient) != 0)
        {
            _client.Reset();
        }

        if ((actions & EndActions.ResetBackend) != 0)
        {
            _backend!.Reset();
        }
    }

    // An exception in one direction ends both, so that no read continues into a pipe that has been returned.
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

    private async Task<FillEnd> FillAsync(Direction direction, SideSocket source)
    {
        try
        {
            FillEnd end = await direction.FillAsync(source.Socket, _closing.Reading).ConfigureAwait(false);
            if (end == FillEnd.Finished)
            {
                // The half-close timeout counts from here, however long the connection was quiet before.
                _meter.Touch();
                NoteFin(source.Side);
            }
            else if (end is FillEnd.Gone or FillEnd.TimedOut)
            {
                _closing.ReadFailed(source.Side, end == FillEnd.TimedOut ? LossKind.TimedOut : LossKind.Reset);
                if (IsBeingSetUp)
                {
                    _closing.StopReading();
                }
            }

            return end;
        }
        catch
        {
            Abort(CloseReason.Internal);
            throw;
        }
    }

    private void NoteFin(Side side)
    {
        if (_closing.FinRead(side))
        {
            _halfClosed();
        }

        if (side == Side.Client && _toBackend.IsEmpty && IsBeingSetUp)
        {
            _clientFinished();
        }
    }

    private bool IsBeingSetUp
    {
        get
        {
            lock (_gate)
            {
                return _backend is null;
            }
        }
    }

    private async Task LingerAsync(SideSocket side)
    {
        switch (await side.DiscardAsync(_closing.Discarding).ConfigureAwait(false))
        {
            case IoEnd.Done:
                NoteFin(side.Side);
                break;
            case IoEnd.Gone or IoEnd.TimedOut:
                _closing.ReadFailed(side.Side, LossKind.Reset);
                break;
        }
    }
}
