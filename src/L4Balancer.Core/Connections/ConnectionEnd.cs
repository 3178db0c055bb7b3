using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// State machine for the end of an established connection; <see cref="ConnectionSetup"/> covers the time before. Events go in, and <see
/// cref="EndActions"/> come out; the engine keeps sockets, buffers and readiness. The rules are those of the contract ("How a connection is
/// closed"): FIN is passed on after the last byte, a reset after everything that was received before it has been delivered, and a close by
/// the balancer lingers for at most <see cref="Grace"/>. The default value is a new one. One thread at a time.
/// </summary>
public struct ConnectionEnd
{
    /// <summary>How long a close may take: for writing buffered bytes, and for the FIN of the peers.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How often an engine checks a send queue that has to be empty before a reset, if few connections wait for it. The kernel sends no event
    /// for that.
    /// </summary>
    public static readonly TimeSpan FlushPoll = TimeSpan.FromMilliseconds(5);

    /// <summary>The longest time between two checks, however many connections wait.</summary>
    private static readonly TimeSpan LongestFlushPoll = TimeSpan.FromMilliseconds(500);

    /// <summary>A check costs a third of a microsecond or more, so this keeps all checks of a thread within a hundredth of a processor.</summary>
    private static readonly TimeSpan FlushPollPerConnection = TimeSpan.FromMicroseconds(50);

    /// <summary>The send queues are looked at for the first time after this part of a timeout without a byte.</summary>
    private const int FirstLook = 8;

    private Instant _closeBy;
    private Instant _queuesSeenAt;
    private Instant _acknowledgedAt;
    private AgeLimit _age;
    private int _unacknowledged;
    private CloseCause _cause;
    private CloseReason _firstEnd;
    private Facts _facts;

    /// <summary>Bits for the client; those of the backend are one bit higher.</summary>
    [Flags]
    private enum Facts : byte
    {
        None = 0,
        SourceEnded = 1,
        PassedOn = 4,
        Lost = 16,

        /// <summary>The balancer sent FIN to the backend before it knew of the backend's own FIN.</summary>
        FirstAtBackend = 64,
    }

    /// <summary>The end of a connection that another process has relayed so far. What its send queues held is looked at anew.</summary>
    internal static ConnectionEnd Of(in EndState state) => new()
    {
        _facts = (Facts)(state.Sides & FinishedSides.All)
            | (state.Sides.HasFlag(FinishedSides.FirstAtBackend) ? Facts.FirstAtBackend : Facts.None),
        _firstEnd = (state.Sides & (FinishedSides.Client | FinishedSides.Backend)) == 0 ? CloseReason.None
            : state.Sides.HasFlag(FinishedSides.BackendWasFirst) ? CloseReason.BackendClosed
            : CloseReason.ClientClosed,
        _acknowledgedAt = state.AcknowledgedAt,
        _age = AgeLimit.At(state.AgeSlot),
    };

    /// <summary>What another process needs to know to go on with it; only for one that is relayed and has no cause to end.</summary>
    internal readonly EndState State => new(
        (FinishedSides)((byte)_facts & (byte)FinishedSides.All)
            | ((_facts & Facts.FirstAtBackend) != 0 ? FinishedSides.FirstAtBackend : FinishedSides.None)
            | (_firstEnd == CloseReason.BackendClosed ? FinishedSides.BackendWasFirst : FinishedSides.None),
        _acknowledgedAt, _age.Slot);

    public EndPhase Phase { get; private set; }

    /// <summary>The reason of the end; none while the connection is relayed. The first cause is kept.</summary>
    public readonly CloseReason Reason => _cause.Reason;

    public readonly bool HasCause => _cause.IsSet;

    /// <summary>One side has finished, and the other has not.</summary>
    public readonly bool IsHalfClosed => _firstEnd != CloseReason.None;

    /// <summary>The deadline of the close; never while there is none.</summary>
    public readonly Instant CloseBy => _closeBy.Ticks == 0 ? Instant.Never : _closeBy;

    /// <summary>Nothing more is read from this side: it sent FIN, it is lost, or its bytes can no longer be delivered.</summary>
    public readonly bool SourceEnded(Side side) => Has(Facts.SourceEnded, side);

    /// <summary>Everything from this side was passed on, including its FIN; or the other side can no longer take it.</summary>
    public readonly bool IsPassedOn(Side from) => Has(Facts.PassedOn, from);

    /// <summary>The peer of this side reset the connection, or the kernel gave it up (ETIMEDOUT, EHOSTUNREACH).</summary>
    public readonly bool IsLost(Side side) => Has(Facts.Lost, side);

    /// <summary>A read returned end of file: nothing more comes from this side. Bytes read before are still to be written.</summary>
    /// <returns>Whether the connection is half-closed from now on.</returns>
    public bool FinRead(Side side)
    {
        Set(Facts.SourceEnded, side);

        // After a write has failed because of a reset, reads return only end of file, which is no FIN.
        if (!IsLost(side) && Phase == EndPhase.Relaying && _firstEnd == CloseReason.None)
        {
            _firstEnd = side == Side.Client ? CloseReason.ClientClosed : CloseReason.BackendClosed;
            return true;
        }

        return false;
    }

    /// <summary>
    /// The connection of this side has failed (EPOLLERR); a read reports the error after the last byte that was received. From now on the
    /// close is limited in time, even if the other side accepts no bytes and nothing is read meanwhile. Until the error is known it counts
    /// as a reset.
    /// </summary>
    public void ErrorPending(Side side, Instant now)
    {
        _cause.TrySet(ResetBy(side));
        LimitGrace(now);
    }

    /// <summary>A read reported that the connection of this side is lost. Bytes read before are still to be written.</summary>
    /// <param name="loss">Who ended it: the peer by a reset, or the kernel because the peer no longer answers.</param>
    public void ReadFailed(Side side, LossKind loss, Instant now)
    {
        Set(Facts.SourceEnded | Facts.Lost, side);
        NoteLoss(side, loss, now);
    }

    /// <summary>
    /// A write to this side, or its pending error, reported that the connection is lost. Nothing more is written to it, so nothing more is
    /// read for it; bytes that its peer had sent before are still read and written to the other side.
    /// </summary>
    /// <param name="loss">As in <see cref="ReadFailed"/>.</param>
    public void WriteFailed(Side side, LossKind loss, Instant now)
    {
        Set(Facts.SourceEnded | Facts.PassedOn, Other(side));
        Set(Facts.Lost, side);
        NoteLoss(side, loss, now);
    }

    /// <summary>
    /// Everything that was read from this side is written, and nothing more comes from it (while lingering: nothing more is read).
    /// </summary>
    /// <param name="sinkIsEnding">The other side's FIN has arrived, even if it has not been read yet.</param>
    /// <returns>Whether FIN goes to the other side. If the connection is over, <see cref="Settle"/> returns that.</returns>
    public EndActions Delivered(Side from, bool sinkIsEnding)
    {
        Side sink = Other(from);
        Set(Facts.PassedOn, from);
        if (Phase == EndPhase.Relaying)
        {
            if (IsLost(from))
            {
                // The other side's bytes can no longer be delivered.
                Set(Facts.PassedOn, sink);
                return EndActions.None;
            }

            if (IsPassedOn(sink))
            {
                // The close that follows sends the FIN.
                return EndActions.None;
            }
        }

        if (sink == Side.Client)
        {
            return EndActions.FinToClient;
        }

        if (!SourceEnded(Side.Backend) && !sinkIsEnding)
        {
            _facts |= Facts.FirstAtBackend;
        }

        return EndActions.FinToBackend;
    }

    /// <summary>Decides the next action from the events so far; called after each round of reads and writes.</summary>
    /// <returns><see cref="EndActions.Close"/>, <see cref="EndActions.Flush"/>, or none while the connection continues.</returns>
    public EndActions Settle(Instant now)
    {
        if (!IsPassedOn(Side.Client) || !IsPassedOn(Side.Backend))
        {
            return EndActions.None;
        }

        switch (Phase)
        {
            case EndPhase.Relaying when IsLost(Side.Client) || IsLost(Side.Backend):
                Phase = EndPhase.Flushing;
                LimitGrace(now);
                return EndActions.Flush;
            case EndPhase.Relaying:
                _cause.TrySet(_firstEnd);
                return EndActions.Close;
            case EndPhase.Lingering when SourceEnded(Side.Client) && SourceEnded(Side.Backend):
                return EndActions.Close;
            default:
                return EndActions.None;
        }
    }

    /// <summary>While flushing: takes the state of the send queues of the sides that are not lost.</summary>
    /// <param name="unacknowledged">A peer that is not lost has not acknowledged everything yet. A reset would discard that.</param>
    /// <returns>How both sockets are closed, or none: check again after <see cref="FlushPollOf"/>.</returns>
    public readonly EndActions Flushed(bool unacknowledged, Instant now) =>
        unacknowledged && now < CloseBy ? EndActions.None
        : EndActions.Close | (IsLost(Side.Client) ? EndActions.None : EndActions.ResetClient)
            | (IsLost(Side.Backend) ? EndActions.None : EndActions.ResetBackend);

    /// <summary>
    /// The time between two checks of a send queue that has to be empty before a reset: <see cref="FlushPoll"/>, and longer if many wait.
    /// </summary>
    /// <param name="waiting">Connections whose queues the same thread, or the same engine, checks.</param>
    public static TimeSpan FlushPollOf(int waiting)
    {
        TimeSpan all = waiting * FlushPollPerConnection;
        return all < FlushPoll ? FlushPoll : all > LongestFlushPoll ? LongestFlushPoll : all;
    }

    /// <summary>The balancer begins an orderly close of the connection.</summary>
    /// <returns><see cref="EndActions.Linger"/>, or none if it is ending already.</returns>
    public EndActions CloseRequested(in ConnectionRecord record, CloseReason reason, Instant now)
    {
        if (Phase != EndPhase.Relaying || !_cause.TrySet(reason))
        {
            return EndActions.None;
        }

        if (reason.IsPaced())
        {
            record.Backend!.Shed.Count(reason);
        }

        Phase = EndPhase.Lingering;
        LimitGrace(now);
        return EndActions.Linger;
    }

    /// <summary>Ends the connection immediately.</summary>
    /// <returns>The actions that reset both peers.</returns>
    public EndActions Abort(CloseReason reason)
    {
        _cause.TrySet(reason);
        return EndActions.ResetBoth;
    }

    /// <summary>
    /// Whether the local port towards the backend stays in TIME_WAIT when the sockets are closed with these actions: the balancer's FIN was
    /// the first there (RFC 9293, 3.6), and no reset ended the connection.
    /// </summary>
    public readonly bool LeavesTimeWait(EndActions close) =>
        (_facts & Facts.FirstAtBackend) != 0 && !IsLost(Side.Backend) && (close & EndActions.ResetBackend) == 0;

    /// <summary>
    /// Whether <see cref="DeadlinePassed"/> has to know now what the peers have not acknowledged: an eighth into a timeout, at the timeout, and
    /// at the end of a lingering close. An engine asks the kernel (SIOCOUTQ) only then.
    /// </summary>
    public readonly bool NeedsQueues(in ConnectionRecord record, Instant lastActivity, Instant now) => Phase switch
    {
        EndPhase.Relaying => !HasCause && now >= QueuesDue(record, lastActivity),
        EndPhase.Lingering => now >= CloseBy,
        _ => false,
    };

    /// <summary>Handles deadlines that have passed: the grace, <c>idle_timeout</c> or <c>half_close_timeout</c>, or <c>max_age</c>.</summary>
    /// <param name="lastActivity">When a byte was last relayed, or one side finished.</param>
    /// <param name="queues">Bytes sent that the peers have not acknowledged; unused unless <see cref="NeedsQueues"/>.</param>
    public EndActions DeadlinePassed(in ConnectionRecord record, Instant lastActivity, SendQueues queues, Instant now)
    {
        if (Phase == EndPhase.Relaying && NeedsQueues(record, lastActivity, now))
        {
            NoteQueues(lastActivity, queues.Client + queues.Backend, now);
        }

        switch (Phase)
        {
            case EndPhase.Flushing:
                return EndActions.Flush;
            case EndPhase.Lingering when now >= CloseBy:
                // A peer that has received everything and the FIN needs no reset; the kernel sends one if the peer sends again. One that has
                // not must not take the end for a regular one.
                return EndActions.Close
                    | (IsPassedOn(Side.Backend) && queues.Client == 0 ? EndActions.None : EndActions.ResetClient)
                    | (IsPassedOn(Side.Client) && queues.Backend == 0 ? EndActions.None : EndActions.ResetBackend);
            case EndPhase.Relaying when now >= CloseBy:
                return EndActions.ResetBoth;
            case EndPhase.Relaying when HasCause:
                return EndActions.None;
            case EndPhase.Relaying when now >= QuietUntil(record, lastActivity):
                return CloseRequested(record, IsHalfClosed ? CloseReason.HalfCloseTimeout : CloseReason.IdleTimeout, now);
            case EndPhase.Relaying when now >= _age.Due(record) && !_age.TryReserve(record, now):
                return CloseRequested(record, CloseReason.MaxAge, now);
            default:
                return EndActions.None;
        }
    }

    /// <summary>
    /// The earliest of its deadlines; never where there is none. Activity only moves it later, so an engine may check when its timer fires
    /// instead of at each byte.
    /// </summary>
    public Instant NextDeadline(in ConnectionRecord record, Instant lastActivity)
    {
        // Once the connection has a cause, only the deadline of its close counts.
        if (HasCause)
        {
            return CloseBy;
        }

        Instant quiet = QueuesDue(record, lastActivity);
        Instant aged = _age.Due(record);
        Instant first = quiet < aged ? quiet : aged;
        return first < CloseBy ? first : CloseBy;
    }

    // A deadline that is set already is kept.
    private void LimitGrace(Instant now)
    {
        if (_closeBy.Ticks == 0)
        {
            _closeBy = now + Grace;
        }
    }

    // Where a peer has not acknowledged everything, the timeout counts from the first look at its queue, because only a difference shows that
    // it still reads.
    private readonly Instant QuietUntil(in ConnectionRecord record, Instant lastActivity)
    {
        Instant activity = Activity(lastActivity);
        return (_queuesSeenAt > activity && _unacknowledged > 0 ? _queuesSeenAt : activity).After(QuietTime(record));
    }

    private readonly TimeSpan QuietTime(in ConnectionRecord record) =>
        IsHalfClosed ? record.Origin.Policy.HalfCloseTimeout : record.Origin.Policy.IdleTimeout;

    // Bytes that a slow reader still acknowledges are activity, though none is relayed meanwhile.
    private readonly Instant Activity(Instant lastActivity) => lastActivity > _acknowledgedAt ? lastActivity : _acknowledgedAt;

    private readonly Instant QueuesDue(in ConnectionRecord record, Instant lastActivity) => _queuesSeenAt > Activity(lastActivity)
        ? QuietUntil(record, lastActivity)
        : Activity(lastActivity).After(QuietTime(record) / FirstLook);

    private void NoteQueues(Instant lastActivity, int unacknowledged, Instant now)
    {
        if (_queuesSeenAt > Activity(lastActivity))
        {
            if (unacknowledged >= _unacknowledged)
            {
                return;
            }

            _acknowledgedAt = now;
        }

        // Later than the activity, so that the next look is that of the timeout, unless a byte is relayed meanwhile.
        _queuesSeenAt = now + TimeSpan.FromTicks(1);
        _unacknowledged = unacknowledged;
    }

    private void NoteLoss(Side side, LossKind loss, Instant now)
    {
        if (loss == LossKind.TimedOut)
        {
            CloseReason timedOut = side == Side.Client ? CloseReason.ClientTimeout : CloseReason.BackendTimeout;
            _cause.Refine(ResetBy(side), timedOut);
            _cause.TrySet(timedOut);
        }

        ErrorPending(side, now);
    }

    private static CloseReason ResetBy(Side side) => side == Side.Client ? CloseReason.ClientReset : CloseReason.BackendReset;

    private static Side Other(Side side) => side == Side.Client ? Side.Backend : Side.Client;

    private readonly bool Has(Facts client, Side side) => ((int)_facts & ((int)client << (int)side)) != 0;

    private void Set(Facts client, Side side) => _facts |= (Facts)((int)client << (int)side);
}
