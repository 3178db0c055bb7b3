using System.Diagnostics.CodeAnalysis;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// The <see cref="ConnectionEnd"/> of one connection behind a lock, because its two directions, the deadlines and closes by the balancer run on
/// different threads; and the tokens that stop reads. Any thread may call.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "Sources without a timer hold nothing to dispose of, and a late close may still cancel them.")]
internal sealed class Closing(ManagedEngine engine)
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _reading = new();
    private readonly CancellationTokenSource _discarding = new();
    private ConnectionEnd _end;
    private EndActions _close;

    public CloseReason Reason
    {
        get
        {
            lock (_gate)
            {
                return _end.Reason;
            }
        }
    }

    public bool HasCause => Reason != CloseReason.None;

    /// <summary>Whether the local port towards the backend enters TIME_WAIT, given how the sockets are closed.</summary>
    public bool LeavesTimeWait
    {
        get
        {
            lock (_gate)
            {
                return _end.LeavesTimeWait(_close);
            }
        }
    }

    /// <summary>Cancelled when reading ends: a connection being set up is abandoned, an established one lingers.</summary>
    public CancellationToken Reading => _reading.Token;

    /// <summary>Cancelled when a lingering close no longer waits for the peers.</summary>
    public CancellationToken Discarding => _discarding.Token;

    /// <returns>Whether the connection is half-closed from now on.</returns>
    public bool FinRead(Side side)
    {
        lock (_gate)
        {
            return _end.FinRead(side);
        }
    }

    public void ReadFailed(Side side, LossKind loss)
    {
        lock (_gate)
        {
            _end.ReadFailed(side, loss, engine.Now);
        }
    }

    public void WriteFailed(Side side, LossKind loss)
    {
        lock (_gate)
        {
            _end.WriteFailed(side, loss, engine.Now);
        }
    }

    public bool IsLost(Side side)
    {
        lock (_gate)
        {
            return _end.IsLost(side);
        }
    }

    public EndActions Delivered(Side from)
    {
        lock (_gate)
        {
            return _end.Delivered(from, sinkIsEnding: false);
        }
    }

    public EndActions Settle()
    {
        lock (_gate)
        {
            return Noted(_end.Settle(engine.Now));
        }
    }

    public EndActions Flushed(bool unacknowledged)
    {
        lock (_gate)
        {
            return Noted(_end.Flushed(unacknowledged, engine.Now));
        }
    }

    /// <summary>Starts a close of an established connection by the balancer.</summary>
    /// <returns>False if the connection is already ending.</returns>
    public bool Ask(in ConnectionRecord record, CloseReason reason)
    {
        lock (_gate)
        {
            if (_end.CloseRequested(record, reason, engine.Now) == EndActions.None)
            {
                return false;
            }
        }

        _reading.Cancel();
        return true;
    }

    /// <summary>Ends the connection at once, or abandons it if it is being set up.</summary>
    /// <returns>Whether this call is the cause of the end.</returns>
    public bool Abort(CloseReason reason)
    {
        lock (_gate)
        {
            bool first = !_end.HasCause;
            Noted(_end.Abort(reason));
            return first;
        }
    }

    /// <summary>Whether something may still come from this side.</summary>
    public bool IsRead(Side side)
    {
        lock (_gate)
        {
            return !_end.SourceEnded(side);
        }
    }

    /// <inheritdoc cref="ConnectionEnd.IsHalfClosed"/>
    public bool IsHalfClosed
    {
        get
        {
            lock (_gate)
            {
                return _end.IsHalfClosed;
            }
        }
    }

    /// <inheritdoc cref="ConnectionEnd.NeedsQueues"/>
    public bool NeedsQueues(in ConnectionRecord record, Instant lastActivity, Instant now)
    {
        lock (_gate)
        {
            return _end.NeedsQueues(record, lastActivity, now);
        }
    }

    /// <summary>When the next deadline is due.</summary>
    public Instant NextDeadline(in ConnectionRecord record, Instant lastActivity)
    {
        lock (_gate)
        {
            return _end.NextDeadline(record, lastActivity);
        }
    }

    /// <param name="queues">What the peers have not acknowledged.</param>
    /// <returns>The actions for a deadline that has passed, and when the next one is due.</returns>
    public (EndActions Actions, Instant Next) DeadlinePassed(in ConnectionRecord record, Instant lastActivity, SendQueues queues, Instant now)
    {
        lock (_gate)
        {
            EndActions actions = now >= _end.NextDeadline(record, lastActivity)
                ? Noted(_end.DeadlinePassed(record, lastActivity, queues, now))
                : EndActions.None;
            return (actions, _end.NextDeadline(record, lastActivity));
        }
    }

    public void StopReading() => _reading.Cancel();

    public void StopDiscarding() => _discarding.Cancel();

    private EndActions Noted(EndActions actions)
    {
        _close |= actions & EndActions.ResetBoth;
        return actions;
    }
}
