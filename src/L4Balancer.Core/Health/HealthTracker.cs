namespace L4Balancer.Core.Health;

/// <summary>
/// The state of one backend. It starts up, or checking where it joins a running balancer, and its first probe alone sets the state. After
/// that, <c>fall</c> bad probes in a row make it down if none of them could connect, else degraded. <c>rise</c> good probes in a row make
/// it up again. <c>fall</c> failed connects move it from degraded to down, and <c>rise</c> successful connects from down to degraded. One
/// writer.
/// </summary>
public sealed class HealthTracker(int rise, int fall)
{
    private int _rise = rise;
    private int _fall = fall;

    // Consecutive probes with this result, up to the latest one.
    private int _good;
    private int _bad;
    private int _failed;
    private int _connected;

    private bool _probed;
    private bool _awaitsProbe;

    public HealthState State { get; private set; }

    /// <summary>Whether the backend is down because of failed connects of clients, not confirmed by probes since.</summary>
    public bool IsByConnects { get; private set; }

    /// <summary>Whether probes have decided on <see cref="State"/>, and nothing else.</summary>
    public bool IsByProbes => _probed && !_awaitsProbe && !IsByConnects;

    /// <summary>Everything that it knows, for another process.</summary>
    internal TrackedHealth Known
    {
        get => new(State, _good, _bad, _failed, _connected, _probed, _awaitsProbe, IsByConnects);
        set
        {
            (State, _good, _bad, _failed, _connected) = (value.State, value.Good, value.Bad, value.Failed, value.Connected);
            (_probed, _awaitsProbe, IsByConnects) = (value.IsProbed, value.AwaitsProbe, value.IsByConnects);
        }
    }

    /// <summary>The interval until the next probe.</summary>
    public ProbePace Pace => State switch
    {
        _ when _awaitsProbe => ProbePace.Fast,
        HealthState.Up => _bad > 0 ? ProbePace.Fast : ProbePace.Steady,

        // Reached only after a probe without a result: an undecided backend is probed again soon.
        HealthState.Checking => ProbePace.Fast,
        HealthState.Degraded => _good > 0 || _failed > 0 ? ProbePace.Fast : ProbePace.Down,
        _ => _connected > 0 ? ProbePace.Fast : ProbePace.Down,
    };

    /// <summary>
    /// Whether the backend keeps its address if the next probe cannot connect. If not, that probe would make it down or leave it down, and
    /// other addresses of its name are worth a try before.
    /// </summary>
    public bool KeepsAddress => State is HealthState.Up or HealthState.Degraded && _probed && _failed + 1 < _fall;

    /// <summary>Changes the thresholds from the next probe on; the counts are kept.</summary>
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

    /// <summary>Marks the backend down because connects of clients fail, independent of probes, whose counts restart.</summary>
    public void MarkDown()
    {
        Forget();
        State = HealthState.Down;
        IsByConnects = true;
        _probed = true;
        _awaitsProbe = true;
    }

    /// <summary>Switches between down and <see cref="HealthState.HalfOpen"/>.</summary>
    public void SetHalfOpen(bool on) => State = on ? HealthState.HalfOpen : HealthState.Down;

    /// <summary>Waits for the first probe of an address, with nothing counted: that probe alone sets the state.</summary>
    public void Check()
    {
        Forget();
        State = HealthState.Checking;
    }

    /// <summary>Returns to the initial state: up, with nothing counted.</summary>
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
        HealthState.Up or HealthState.Checking when _bad >= fall => _failed >= fall ? HealthState.Down : HealthState.Degraded,
        HealthState.Degraded when _failed >= fall => HealthState.Down,
        HealthState.Down when _connected >= rise => HealthState.Degraded,
        _ => State,
    };
}

/// <summary>What a <see cref="HealthTracker"/> knows.</summary>
/// <param name="Good">How many probes in a row were good, up to the latest one; likewise the next three: bad, without a connect, with one.</param>
/// <param name="AwaitsProbe">No probe has ended since clients found it down.</param>
public readonly record struct TrackedHealth(
    HealthState State, int Good, int Bad, int Failed, int Connected, bool IsProbed, bool AwaitsProbe, bool IsByConnects);
