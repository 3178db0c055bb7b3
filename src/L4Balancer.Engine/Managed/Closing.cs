using System.Diagnostics.CodeAnalysis;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// The <see cref="ConnectionEnd"/> of one connection behind a lock, because its two directions, the deadlines and closes by the balancer run on
/// different threads; and the tokens that stop reads. Any thread.
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

    /// <summary>Our port towards the backend stays in TIME_WAIT, by the way the sockets are closed.</summary>
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

    /// <summary>Cancelled when nothing more is read: what is being set up is abandoned, what is established lingers.</summary>
    public CancellationToken Reading => _reading.Token;

    /// <summary>Cancelled when a lingering close no longer waits for the peers.</summary>
    public CancellationToken Discarding => _discarding.Token;

    public void FinRead(Side side)
    {
        lock (_gate)
        {
            _end.FinRead(side);
        }
    }

    public void ReadFailed(Side side)
    {
        lock (_gate)
        {
            _end.ReadFailed(side, engine.Now);
        }
    }

    public void WriteFailed(Side side)
    {
        lock (_gate)
        {
            _end.WriteFailed(side, engine.Now);
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

    /// <summary>A close by the balancer, of an established connection.</summary>
    /// <returns>False where it is ending already.</returns>
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

    /// <summary>Ends at once, or abandons what is being set up.</summary>
    /// <returns>Whether this is the cause.</returns>
    public bool Abort(CloseReason reason)
    {
        lock (_gate)
        {
            bool first = !_end.HasCause;
            Noted(_end.Abort(reason));
            return first;
        }
    }

    /// <returns>What a deadline that has passed asks for, and when the next one is due.</returns>
    public (EndActions Actions, Instant Next) DeadlinePassed(in ConnectionRecord record, Instant lastActivity, Instant now)
    {
        lock (_gate)
        {
            EndActions actions = now >= _end.NextDeadline(record, lastActivity)
                ? Noted(_end.DeadlinePassed(record, lastActivity, now))
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
