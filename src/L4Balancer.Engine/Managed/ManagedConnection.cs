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
/// One connection from accept to close; members are ordered by its life: set-up, relay, end. <see cref="ServeAsync"/> runs it; other
/// threads only request a close, read its record, or check its deadlines. The record and the set-up are guarded by the lock.
/// </summary>
internal sealed partial class ManagedConnection
{
    /// <summary>A delay of zero would complete at once, on the stack of the check that requests it.</summary>
    private static readonly TimeSpan SoonestCheck = TimeSpan.FromMilliseconds(1);

    private readonly Lock _gate = new();
    private readonly ManagedEngine _engine;
    private readonly Socket _client;
    private readonly Closing _closing;
    private readonly Relay _relay;
    private ConnectionSetup _setup;
    private ConnectionRecord _record;
    private int _checkIsDue;
    private bool _isReported;

    public ManagedConnection(ManagedEngine engine, Socket client)
    {
        _engine = engine;
        _client = client;
        _closing = new Closing(engine);
        _relay = new Relay(engine, _closing, client, NoteHalfClosed, ClientFinished);
    }

    public ConnectionRecord Record
    {
        get
        {
            lock (_gate)
            {
                ConnectionRecord record = _record;
                record.BytesToBackend = _relay.BytesToBackend;
                record.BytesToClient = _relay.BytesToClient;
                return record;
            }
        }
    }

    /// <summary>The connection has a cause of its end, even if it has not ended yet.</summary>
    public bool IsEnding => _closing.HasCause;

    /// <summary>The state of the connection for a listing.</summary>
    public OpenConnection Open
    {
        get
        {
            ConnectionRecord record = Record;
            return new OpenConnection(record, record.IsEstablished ? _relay.LastActivity : record.AcceptedAt);
        }
    }

    /// <summary>Runs the connection. At completion both sockets are closed, all resources are returned, and one record has been written.</summary>
    /// <remarks>Not async: an async method keeps its arguments alive while it runs, but the snapshot must be collectable earlier.</remarks>
    public Task ServeAsync(RoutingSnapshot snapshot, Listener listener, in FourTuple tuple)
    {
        SetupStep first;
        try
        {
            first = Accept(snapshot, listener, tuple);
            _engine.Remember(this);
            if (first.Action != SetupAction.Refuse)
            {
                ListenerSettings settings = listener.Settings;
                SocketOptions.Apply(
                    _client, settings.Keepalive, settings.UserTimeout, settings.CongestionControl, settings.SendBuffer, settings.ReceiveBuffer);
                _relay.FromClient.IsLookedAt = first.Action == SetupAction.Inspect;
                _relay.ReadClient();
            }
        }
        catch (Exception e)
        {
            return FailAsync(e);
        }

        return ServeAsync(first);
    }

    private async Task ServeAsync(SetupStep first)
    {
        try
        {
            if (await SetUpAsync(first).ConfigureAwait(false))
            {
                ReportEstablished();
                await _relay.RunAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            await FailAsync(e).ConfigureAwait(false);
            return;
        }

        await EndAsync().ConfigureAwait(false);
    }

    private Task FailAsync(Exception exception)
    {
        _engine.Log.ServingFailed(_record.Id, exception);
        Abort(CloseReason.Internal);
        return EndAsync();
    }

    /// <summary>Requests a close by the balancer. A connection being set up is abandoned; an established one ends gracefully.</summary>
    /// <returns>False if it is already ending.</returns>
    public bool Close(CloseReason reason)
    {
        ConnectionRecord record;
        lock (_gate)
        {
            record = _record;
            if (!record.IsEstablished)
            {
                bool first = _closing.Abort(reason);
                _closing.StopReading();
                return first;
            }
        }

        return _closing.Ask(record, reason);
    }

    /// <summary>Closes at once by resetting both peers.</summary>
    public void Abort(CloseReason reason)
    {
        try
        {
            _relay.Abort(reason);
        }
        catch (Exception e)
        {
            // What is registered on a token is called by its cancellation.
            _engine.Log.ServingFailed(_record.Id, e);
        }
    }

    /// <summary>One line about the connection, for the log.</summary>
    public string Describe()
    {
        CloseReason reason = _closing.Reason;
        return EngineStop.Describe(Record) + (reason == CloseReason.None ? "" : $" closing as {reason}");
    }

    /// <summary>Reports an established connection as living.</summary>
    /// <returns>False if its start has not been reported yet, or its end is about to be.</returns>
    public bool ReportAlive()
    {
        lock (_gate)
        {
            if (!_isReported || _record.Reason != CloseReason.None)
            {
                return false;
            }

            ConnectionRecord record = _record.At(_engine.Now);
            record.BytesToBackend = _relay.BytesToBackend;
            record.BytesToClient = _relay.BytesToClient;
            try
            {
                _engine.Options.Records.Alive(record);
            }
            catch (Exception e)
            {
                // A record that cannot be taken must not keep the others from being reported.
                _engine.Log.RecordNotTaken(record.Id, e);
            }

            return true;
        }
    }

    private void ReportEstablished()
    {
        // Not under the lock, which an abort and the end of the engine take too: a sink that hangs must hang this connection alone.
        _engine.Options.Records.Established(_record);
        lock (_gate)
        {
            _isReported = true;
        }
    }

    /// <summary>Acts on deadlines that have passed. Called periodically.</summary>
    public void CheckDeadlines(Instant now)
    {
        ConnectionRecord record;
        lock (_gate)
        {
            record = _record;
        }

        if (!record.IsEstablished)
        {
            return;
        }

        TimeSpan wait = _relay.CheckDeadlines(record, now) - now;
        if (wait < ManagedEngine.LongestCheck && !_closing.HasCause && Interlocked.Exchange(ref _checkIsDue, 1) == 0)
        {
            _ = CheckAsync(wait);
        }
    }

    // Checks a deadline that is due before the next check of all connections: those that reach max_age together are closed one after the other.
    private async Task CheckAsync(TimeSpan wait)
    {
        await Task.Delay(wait > SoonestCheck ? wait : SoonestCheck, _engine.Options.Clock, _closing.Reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Volatile.Write(ref _checkIsDue, 0);
        if (!_closing.Reading.IsCancellationRequested)
        {
            _engine.CheckDeadlines(this, _engine.Now);
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

    // Connects as the set-up decides, until it succeeds or gives up. What the client sends meanwhile stays in its pipe.
    private async Task<bool> SetUpAsync(SetupStep step)
    {
        while (step.Action is SetupAction.Inspect or SetupAction.Connect or SetupAction.Wait)
        {
            step = step.Action switch
            {
                SetupAction.Inspect => await InspectAsync(step).ConfigureAwait(false),
                SetupAction.Connect => await ConnectAsync(step).ConfigureAwait(false),
                _ => await PauseAsync(step).ConfigureAwait(false),
            };
        }

        return step.Action == SetupAction.Relay;
    }

    private async Task<SetupStep> ConnectAsync(SetupStep step)
    {
        // The source's own timer, because one that fires while the source is being disposed must not throw: that exception would be unhandled.
        using var deadline = new CancellationTokenSource(_engine.Until(step.Deadline), _engine.Options.Clock);
        PoolSettings pool = _setup.PoolSettings;
        ConnectResult result = await BackendConnector.ConnectAsync(
            step, pool, _engine.Snapshot.Ports.Supply, deadline.Token, _closing.Reading).ConfigureAwait(false);
        if (result.Fault is { } fault)
        {
            _engine.NoteFault(pool.Name, fault);
        }

        lock (_gate)
        {
            Instant now = _engine.Now;
            if (result.Socket is null)
            {
                return _closing.HasCause ? _setup.Abandon(ref _record, _closing.Reason, now)
                    : result.Failure is { } failure ? _setup.ConnectFailed(ref _record, failure, now)
                    : _setup.DeadlinePassed(ref _record, _engine.Snapshot, IsLate(step.Deadline, now), now);
            }

            if (!_relay.TryConnect(result.Socket, _record.Backend!.Traffic(worker: 0), result.Gone))
            {
                result.Socket.Dispose();
                return _setup.Abandon(ref _record, _closing.Reason, now);
            }

            if (pool.SendProxy != SendProxy.None)
            {
                _relay.SetPreface(Preface(pool.SendProxy));
            }

            SetupStep relay = _setup.Connected(ref _record, result.LocalEndpoint, now);
            if (_closing.IsHalfClosed)
            {
                _record.NoteHalfClosed();
            }

            // Otherwise the set-up would keep the snapshot alive for as long as the connection lives.
            _setup = default;
            return relay;
        }
    }

    private async Task<SetupStep> PauseAsync(SetupStep step)
    {
        await Task.Delay(_engine.Until(step.Deadline), _engine.Options.Clock, _closing.Reading)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            return _closing.HasCause
                ? _setup.Abandon(ref _record, _closing.Reason, _engine.Now)
                : _setup.DeadlinePassed(ref _record, _engine.Snapshot, isLate: false, _engine.Now);
        }
    }

    // A deadline that is noticed much later than it passed: this process stood still, or had no processor to run on.
    private static bool IsLate(Instant deadline, Instant now) => now - deadline > ManagedEngine.LateBy;

    private void NoteHalfClosed()
    {
        lock (_gate)
        {
            if (_record.IsEstablished && _record.Reason == CloseReason.None)
            {
                _record.NoteHalfClosed();
            }
        }
    }

    private void ClientFinished()
    {
        bool over;
        lock (_gate)
        {
            over = !_record.IsEstablished && _record.Reason == CloseReason.None && _setup.ClientFinished(_record);
        }

        if (over && _closing.Abort(CloseReason.ClientClosed))
        {
            _closing.StopReading();
        }
    }

    private async Task EndAsync()
    {
        try
        {
            await _relay.EndAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            _engine.Log.ServingFailed(_record.Id, e);
        }

        // Whatever has failed before: the counts, the port and the entry of the client are given back.
        try
        {
            lock (_gate)
            {
                CloseRecord();
            }
        }
        catch (Exception e)
        {
            _engine.Log.ServingFailed(_record.Id, e);
        }

        _engine.Forget(this);
    }

    private void CloseRecord()
    {
        if (_record.IsEstablished)
        {
            if (!_closing.HasCause)
            {
                _closing.Abort(CloseReason.Internal);
            }

            _record.BytesToBackend = _relay.BytesToBackend;
            _record.BytesToClient = _relay.BytesToClient;
            _record.Close(_engine.Snapshot.State, _closing.Reason, _closing.LeavesTimeWait, _engine.Now);
        }
        else if (_record is { Id: > 0, Reason: CloseReason.None })
        {
            _setup.Abandon(ref _record, CloseReason.Internal, _engine.Now);
        }
    }
}
