using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// One connection from accept to close, in the order of its life: set up, relay, end. <see cref="ServeAsync"/> runs it; other threads
/// only ask it to close, look at its record, or tell it the time. What they share stands under the gate.
/// </summary>
/// <remarks>A little over 300 lines, because the life of a connection should be read without leaving the file.</remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "Sources without a timer hold nothing to dispose of, and a late Close may still cancel them.")]
internal sealed class ManagedConnection
{
    /// <summary>How long what is under way at a close may take: writing what was received, or waiting for the peers' FIN.</summary>
    private static readonly TimeSpan CloseGrace = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan SendQueuePoll = TimeSpan.FromMilliseconds(5);

    /// <summary>Where bytes go that nobody wants any more: shared by all, written by all, read by none.</summary>
    private static readonly byte[] Discarded = new byte[64 * 1024];

    private readonly Lock _gate = new();
    private readonly ManagedEngine _engine;
    private readonly Side _client;
    private readonly Direction _toBackend;
    private readonly Direction _toClient;
    private readonly CancellationTokenSource _stopReading = new();
    private readonly CancellationTokenSource _stopDiscarding = new();
    private Side? _backend;
    private Side? _firstFinished;
    private RelayedBytes? _traffic;
    private ConnectionSetup _setup;
    private ConnectionRecord _record;
    private CloseCause _cause;
    private bool _discarding;
    private Instant _closeBy = Instant.Never;
    private long _lastActivity;

    public ManagedConnection(ManagedEngine engine, Socket client)
    {
        _engine = engine;
        _client = Side.Client(client);
        _toBackend = new Direction(Touch, CountToBackend);
        _toClient = new Direction(Touch, CountToClient);
    }

    public ConnectionRecord Record
    {
        get
        {
            lock (_gate)
            {
                return _record;
            }
        }
    }

    /// <summary>The life of the connection. It ends with both sockets closed, everything returned, and one record sent out.</summary>
    public async Task ServeAsync(RoutingSnapshot snapshot, Listener listener, FourTuple tuple)
    {
        Task<FillEnd> fromClient = Task.FromResult(FillEnd.Stopped);
        try
        {
            SetupStep first = Accept(snapshot, listener, tuple);
            _engine.Remember(this);
            if (first.Action != SetupAction.Refuse)
            {
                ListenerSettings settings = listener.Settings;
                TcpOptions.Apply(_client.Socket, settings.Keepalive, settings.UserTimeout, settings.CongestionControl);
                fromClient = FillAsync(_toBackend, _client);
                if (await SetUpAsync(first).ConfigureAwait(false))
                {
                    _engine.Options.Records.Established(_record);
                    await RelayAsync(fromClient).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e)
        {
            _engine.Log.ServingFailed(_record.Id, e);
            Abort(CloseReason.Internal);
        }

        await EndAsync(fromClient).ConfigureAwait(false);
    }

    /// <summary>Asks for a close by us. What is being set up is abandoned; what is established ends in good order.</summary>
    public void Close(CloseReason reason)
    {
        if (_cause.TrySet(reason))
        {
            LimitGrace();
            _stopReading.Cancel();
        }
    }

    /// <summary>Closes without waiting for anything: both peers are reset.</summary>
    public void Abort(CloseReason reason)
    {
        _cause.TrySet(reason);

        // First of all: what stops reading goes on to an orderly close, and a peer that has seen a FIN no longer sees the reset.
        ResetBoth();
        _stopReading.Cancel();
        _stopDiscarding.Cancel();
    }

    /// <summary>Called every now and then: acts on deadlines that have passed.</summary>
    public void CheckDeadlines(Instant now)
    {
        TimeSpan quiet;
        CloseReason reason;
        bool graceIsOver;
        lock (_gate)
        {
            if (_backend is null)
            {
                return;
            }

            PoolSettings pool = _record.Pool.Settings;
            (quiet, reason) = _firstFinished is null
                ? (pool.IdleTimeout, CloseReason.IdleTimeout)
                : (pool.HalfCloseTimeout, CloseReason.HalfCloseTimeout);
            graceIsOver = now >= _closeBy;
        }

        if (graceIsOver)
        {
            EndGrace();
        }
        else if (now >= new Instant(Volatile.Read(ref _lastActivity)).After(quiet))
        {
            Close(reason);
        }
    }

    // Counts the connection as accepted and decides where it goes.
    private SetupStep Accept(RoutingSnapshot snapshot, Listener listener, in FourTuple tuple)
    {
        lock (_gate)
        {
            return _setup.Accepted(ref _record, snapshot, listener, tuple, _engine.Now);
        }
    }

    // Connects until the state machine is content. Meanwhile the client's bytes are read up to the pipe's threshold: only a socket
    // that is being read tells of its reset.
    private async Task<bool> SetUpAsync(SetupStep step)
    {
        while (step.Action is SetupAction.Connect or SetupAction.Wait)
        {
            step = step.Action == SetupAction.Connect
                ? await ConnectAsync(step).ConfigureAwait(false)
                : await PauseAsync(step).ConfigureAwait(false);
        }

        return step.Action == SetupAction.Relay;
    }

    private async Task<SetupStep> ConnectAsync(SetupStep step)
    {
        // The source's own timer, because one that fires while its source is disposed of must not throw: nobody would catch that.
        using var deadline = new CancellationTokenSource(_engine.Until(step.Deadline), _engine.Options.Clock);
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(_stopReading.Token, deadline.Token);
        ConnectResult result = await BackendConnector.ConnectAsync(step, _record.Pool.Settings, attempt.Token).ConfigureAwait(false);
        lock (_gate)
        {
            Instant now = _engine.Now;
            if (_cause.IsSet)
            {
                result.Socket?.Dispose();
                return _setup.Abandon(ref _record, _cause.Reason, now);
            }

            if (result.Socket is null)
            {
                return result.Failure is { } failure
                    ? _setup.ConnectFailed(ref _record, failure, now)
                    : _setup.DeadlinePassed(ref _record, now);
            }

            _backend = Side.Backend(result.Socket);
            _traffic = _record.Backend!.Cell.Traffic(worker: 0);
            Touch(0);
            return _setup.Connected(ref _record, result.LocalEndpoint, now);
        }
    }

    private async Task<SetupStep> PauseAsync(SetupStep step)
    {
        await Task.Delay(_engine.Until(step.Deadline), _engine.Options.Clock, _stopReading.Token)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            return _cause.IsSet
                ? _setup.Abandon(ref _record, _cause.Reason, _engine.Now)
                : _setup.DeadlinePassed(ref _record, _engine.Now);
        }
    }

    private async Task RelayAsync(Task<FillEnd> fromClient)
    {
        Task<FillEnd> fromBackend = FillAsync(_toClient, _backend!);
        await Task.WhenAll(
            GuardAsync(RelayAsync(_toBackend, fromClient, _client, _backend!), fromClient),
            GuardAsync(RelayAsync(_toClient, fromBackend, _backend!, _client), fromBackend)).ConfigureAwait(false);
        if (_stopReading.IsCancellationRequested)
        {
            await LeaveAsync().ConfigureAwait(false);
        }
    }

    // One direction: write what is read; then pass the source's end on to the sink.
    private async Task RelayAsync(Direction direction, Task<FillEnd> fill, Side source, Side sink)
    {
        if (!await direction.DrainAsync(sink.Socket).ConfigureAwait(false))
        {
            // The other direction still carries what the sink's peer had sent, and resets the source after it; unless it is done.
            if (NoteReset(sink))
            {
                await ResetAfterDeliveryAsync(source).ConfigureAwait(false);
            }

            await fill.ConfigureAwait(false);
            return;
        }

        switch (await fill.ConfigureAwait(false))
        {
            // A reset that a send ran into leaves nothing but an end of file to the receives after it.
            case FillEnd.Finished when !NoteFinished(source):
            case FillEnd.Gone:
                await ResetAfterDeliveryAsync(sink).ConfigureAwait(false);
                break;
            case FillEnd.Finished:
            case FillEnd.Stopped:
                sink.Finish();
                break;
        }
    }

    // An exception in one direction ends both, and nothing reads on into a pipe that is given back.
    private async Task GuardAsync(Task relay, Task fill)
    {
        try
        {
            await relay.ConfigureAwait(false);
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
            FillEnd end = await direction.FillAsync(source.Socket, _stopReading.Token).ConfigureAwait(false);
            if (end == FillEnd.Finished)
            {
                // The half-close timeout counts from here, however long the connection was quiet before.
                Touch(0);
                lock (_gate)
                {
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
        bool inSetUp;
        _cause.TrySet(side.ResetReason);
        lock (_gate)
        {
            side.WasReset = true;
            finished = side.Finished;
            inSetUp = _backend is null;
        }

        LimitGrace();
        if (inSetUp)
        {
            _stopReading.Cancel();
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

    // A reset discards what the kernel still holds for the peer, so it has to wait until the peer has it all.
    private async Task ResetAfterDeliveryAsync(Side side)
    {
        while (side.Unacknowledged > 0 && !IsGraceOver())
        {
            await Task.Delay(SendQueuePoll, _engine.Options.Clock).ConfigureAwait(false);
        }

        side.Reset();
    }

    // Closed by us: what was read is written by now. FIN both ways, then wait for the peers to close as well.
    private async Task LeaveAsync()
    {
        lock (_gate)
        {
            _discarding = true;
        }

        await Task.WhenAll(DiscardAsync(_client), DiscardAsync(_backend!)).ConfigureAwait(false);
    }

    private async Task DiscardAsync(Side side)
    {
        side.Finish();
        IoResult received;
        do
        {
            received = await IoResult.ReceiveAsync(side.Socket, Discarded, _stopDiscarding.Token).ConfigureAwait(false);
        }
        while (received is { End: IoEnd.Done, Bytes: > 0 });
    }

    private async Task EndAsync(Task<FillEnd> fromClient)
    {
        if (_backend is null)
        {
            _client.Reset();
        }

        await ((Task)fromClient).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client.Socket.Dispose();
        _backend?.Socket.Dispose();
        _toBackend.Release();
        _toClient.Release();
        lock (_gate)
        {
            if (_backend is not null)
            {
                _cause.TrySet(_firstFinished?.ClosedReason ?? CloseReason.Internal);
                _record.Close(_engine.Snapshot.Cell, _cause.Reason, _engine.Now);
            }
            else if (_record.Reason == CloseReason.None)
            {
                _setup.Abandon(ref _record, CloseReason.Internal, _engine.Now);
            }
        }

        _engine.Forget(this);
    }

    private void LimitGrace()
    {
        lock (_gate)
        {
            _closeBy = _closeBy == Instant.Never ? _engine.Now + CloseGrace : _closeBy;
        }
    }

    private bool IsGraceOver()
    {
        lock (_gate)
        {
            return _engine.Now >= _closeBy;
        }
    }

    private void EndGrace()
    {
        bool discarding;
        lock (_gate)
        {
            discarding = _discarding;
        }

        _stopDiscarding.Cancel();
        if (!discarding)
        {
            _client.ResetUnlessFinished();
            _backend!.ResetUnlessFinished();
        }
    }

    private void ResetBoth()
    {
        Side? backend;
        lock (_gate)
        {
            // The one that connects at this moment is seen here, or it sees the cause.
            backend = _backend;
        }

        _client.Reset();
        backend?.Reset();
    }

    private void Touch(int bytes) => Volatile.Write(ref _lastActivity, _engine.Now.Ticks);

    private void CountToBackend(int bytes)
    {
        Touch(bytes);
        _record.BytesToBackend += bytes;
        _traffic!.AddShared(bytes, 0);
    }

    private void CountToClient(int bytes)
    {
        Touch(bytes);
        _record.BytesToClient += bytes;
        _traffic!.AddShared(0, bytes);
    }
}
