namespace L4Balancer.Core.Health;

/// <summary>
/// The state of one backend. It begins up, and its first probe decides alone. From then on <c>fall</c> bad probes in a row take it out:
/// down where none of them could connect, else degraded. <c>rise</c> good ones in a row bring it back from both, <c>fall</c> failed
/// connects take it from degraded to down, and <c>rise</c> that worked from down to degraded. One writer.
/// </summary>
public sealed class HealthTracker(int rise, int fall)
{
    private int _rise = rise;
    private int _fall = fall;

    // How many in a row, up to the latest probe.
    private int _good;
    private int _bad;
    private int _failed;
    private int _connected;

    private bool _probed;
    private bool _awaitsProbe;

    public HealthState State { get; private set; }

    /// <summary>Whether only the connects of clients have taken it down: probes have not said the same since.</summary>
    public bool IsByConnects { get; private set; }

    /// <summary>How soon it should be probed again.</summary>
    public ProbePace Pace => State switch
    {
        _ when _awaitsProbe => ProbePace.Fast,
        HealthState.Up => _bad > 0 ? ProbePace.Fast : ProbePace.Steady,
        HealthState.Degraded => _good > 0 || _failed > 0 ? ProbePace.Fast : ProbePace.Down,
        _ => _connected > 0 ? ProbePace.Fast : ProbePace.Down,
    };

    /// <summary>Other numbers from the next probe on; what was counted so far stays.</summary>
    public void Retune(int rise, int fall) => (_rise, _fall) = (rise, fall);

    /// <returns>Whether <see cref="State"/> changed.</returns>
    public bool Report(ProbeOutcome outcome)
    {
        if (outcome == ProbeOutcome.LocalError)
        {
            return false;
        }

        Count(outcome);
        HealthState before = State;
        State = _probed ? Next(_rise, _fall) : Next(1, 1);
        _probed = true;
        _awaitsProbe = false;
        IsByConnects &= State == before && _failed < _fall;
        return State != before;
    }

    /// <summary>The connects of clients fail, whatever probes say; they begin to count anew.</summary>
    public void MarkDown()
    {
        Forget();
        State = HealthState.Down;
        IsByConnects = true;
        _probed = true;
        _awaitsProbe = true;
    }

    /// <summary>From down to <see cref="HealthState.Trial"/>, or back.</summary>
    public void SetTrial(bool on) => State = on ? HealthState.Trial : HealthState.Down;

    /// <summary>As if nothing were known of it: it is up.</summary>
    public void Forget()
    {
        (_good, _bad, _failed, _connected) = (0, 0, 0, 0);
        (_probed, _awaitsProbe, IsByConnects) = (false, false, false);
        State = HealthState.Up;
    }

    private void Count(ProbeOutcome outcome)
    {
        _good = outcome == ProbeOutcome.Success ? _good + 1 : 0;
        _bad = outcome == ProbeOutcome.Success ? 0 : _bad + 1;
        _failed = outcome == ProbeOutcome.Failure ? _failed + 1 : 0;
        _connected = outcome == ProbeOutcome.Failure ? 0 : _connected + 1;
    }

    private HealthState Next(int rise, int fall) => State switch
    {
        _ when _good >= rise => HealthState.Up,
        HealthState.Up when _bad >= fall => _failed >= fall ? HealthState.Down : HealthState.Degraded,
        HealthState.Degraded when _failed >= fall => HealthState.Down,
        HealthState.Down when _connected >= rise => HealthState.Degraded,
        _ => State,
    };
}
