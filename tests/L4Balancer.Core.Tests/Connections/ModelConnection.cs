using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>
/// The smallest engine that there can be, around a <see cref="ConnectionEnd"/>: two peers with counted bytes instead of sockets, in virtual
/// time. It carries out the actions that are returned, and records what each peer received.
/// </summary>
internal sealed class ModelConnection
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(5);

    private readonly SetupScene _scene;
    private readonly ConnectionRecord _record;
    private readonly int[] _held = new int[2];
    private ConnectionEnd _end;
    private Instant _lastActivity;

    public ModelConnection(TimeSpan idle, TimeSpan halfClose, TimeSpan maxAge)
    {
        _scene = new SetupScene(SetupScene.PoolOf(1) with { IdleTimeout = idle, HalfCloseTimeout = halfClose, MaxAge = maxAge });
        SetupAttempt attempt = _scene.Accept();
        attempt.Connected();
        _record = attempt.Record;
        _lastActivity = _scene.Now;
    }

    public ModelPeer Client { get; } = new();

    public ModelPeer Backend { get; } = new();

    public bool IsOver { get; private set; }

    public CloseReason Reason => _end.Reason;

    public EndPhase Phase => _end.Phase;

    public bool LeavesTimeWait { get; private set; }

    /// <summary>How long it has existed.</summary>
    public TimeSpan Age => _scene.Now - _record.EstablishedAt;

    public long Shed(CloseReason reason) => _record.Backend!.Shed[reason];

    public void Close(CloseReason reason) => Do(_end.CloseRequested(_record, reason, _scene.Now));

    /// <summary>Runs until it is over, or until this much more time has passed.</summary>
    public void Run(TimeSpan time, Action<TimeSpan>? meanwhile = null)
    {
        Instant until = _scene.Now + time;
        Instant from = _scene.Now;
        while (!IsOver && _scene.Now <= until)
        {
            meanwhile?.Invoke(_scene.Now - from);
            Turn();
            if (!IsOver && _scene.Now >= _end.NextDeadline(_record, _lastActivity))
            {
                Do(_end.DeadlinePassed(_record, _lastActivity, new SendQueues(Client.Unacknowledged, Backend.Unacknowledged), _scene.Now));
            }

            if (!IsOver && _end.Phase == EndPhase.Flushing)
            {
                Flush();
            }

            _scene.Pass(Step);
        }
    }

    private ModelPeer At(Side side) => side == Side.Client ? Client : Backend;

    private void Turn()
    {
        foreach (Side from in new[] { Side.Client, Side.Backend })
        {
            if (_end.Phase != EndPhase.Flushing && !IsOver)
            {
                Pump(from, from == Side.Client ? Side.Backend : Side.Client);
            }
        }

        if (!IsOver && _end.Phase != EndPhase.Flushing)
        {
            Do(_end.Settle(_scene.Now));
        }
    }

    private void Pump(Side from, Side to)
    {
        ref int held = ref _held[(int)from];
        ModelPeer source = At(from);
        if (source.End == ModelEnd.Reset)
        {
            _end.ErrorPending(from, _scene.Now);
        }

        ModelPeer sink = At(to);
        if (!_end.IsPassedOn(from))
        {
            if (held == 0 && _end.Phase == EndPhase.Relaying && source.Pending > 0 && !_end.SourceEnded(from))
            {
                (held, source.Pending) = (source.Pending, 0);
            }

            if (held > 0 && sink.FailsWrites && sink.Accepts)
            {
                held = 0;
                _end.WriteFailed(to, sink.Loss, _scene.Now);
                return;
            }

            if (held > 0 && sink.Accepts)
            {
                sink.Received += held;
                sink.Unacknowledged += sink.Acknowledges ? 0 : held;
                held = 0;
                _lastActivity = _scene.Now;
            }
        }

        if (held == 0 && source.Pending == 0 && !_end.SourceEnded(from))
        {
            ReadEnd(from, source);
        }

        if (_end.Phase == EndPhase.Lingering)
        {
            source.Pending = 0;
        }

        if (!_end.IsPassedOn(from) && held == 0 && (_end.SourceEnded(from) || _end.Phase == EndPhase.Lingering))
        {
            EndActions fin = _end.Delivered(from, sink.End == ModelEnd.Fin);
            if (fin != EndActions.None)
            {
                _lastActivity = _scene.Now;
            }

            Do(fin);
        }
    }

    private void ReadEnd(Side from, ModelPeer source)
    {
        if (source.End == ModelEnd.Fin)
        {
            _end.FinRead(from);
        }
        else if (source.End == ModelEnd.Reset)
        {
            _end.ReadFailed(from, source.Loss, _scene.Now);
        }
    }

    private void Flush()
    {
        bool waits = (!_end.IsLost(Side.Client) && Client.Unacknowledged > 0) || (!_end.IsLost(Side.Backend) && Backend.Unacknowledged > 0);
        Do(_end.Flushed(waits, _scene.Now));
    }

    private void Do(EndActions actions)
    {
        Client.FinReceived |= actions.HasFlag(EndActions.FinToClient);
        Backend.FinReceived |= actions.HasFlag(EndActions.FinToBackend);
        if (actions.HasFlag(EndActions.Close))
        {
            IsOver = true;
            LeavesTimeWait = _end.LeavesTimeWait(actions);
            Close(Client, actions.HasFlag(EndActions.ResetClient));
            Close(Backend, actions.HasFlag(EndActions.ResetBackend));
        }
    }

    private static void Close(ModelPeer peer, bool reset)
    {
        // One that has reset the connection itself cannot be reset.
        peer.WasReset = reset && peer.End != ModelEnd.Reset;
        peer.FinReceived |= !reset;
    }
}

/// <summary>How a peer ends its side, once everything that it sent before has been read.</summary>
internal enum ModelEnd
{
    None,
    Fin,
    Reset,
}

/// <summary>What a peer does, and what it saw.</summary>
internal sealed class ModelPeer
{
    /// <summary>Bytes sent and not read yet.</summary>
    public int Pending { get; set; }

    public ModelEnd End { get; set; }

    /// <summary>Whether it reads: writes to it succeed.</summary>
    public bool Accepts { get; set; } = true;

    /// <summary>Whether its kernel acknowledges what was written.</summary>
    public bool Acknowledges { get; set; } = true;

    /// <summary>A write to it meets a reset.</summary>
    public bool FailsWrites { get; set; }

    /// <summary>How its connection is lost where it is.</summary>
    public LossKind Loss { get; set; }

    public int Received { get; set; }

    public int Unacknowledged { get; set; }

    public bool FinReceived { get; set; }

    public bool WasReset { get; set; }
}
