using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// What a connection occupies at its chosen backend until it is connected or gives up: one of the places for pending connects, and possibly
/// the trial of a backend that is down.
/// </summary>
internal struct BackendReservation
{
    private BackendState? _state;
    private int _epoch;

    /// <summary>The id of the trial in the backend's <see cref="ConnectHealth"/>; 0 for an ordinary connection or after release.</summary>
    public int Trial { get; private set; }

    public static BackendReservation Take(BackendState state, int trial)
    {
        state.CountPicked();
        return new BackendReservation { _state = state, _epoch = state.Connects.Epoch, Trial = trial };
    }

    /// <summary>Returns a trial that ended without a result about the backend; another connection may take it.</summary>
    public static void ReturnTrial(BackendState state, int trial)
    {
        if (trial != 0)
        {
            state.Connects.ReturnTrial(trial);
        }
    }

    /// <param name="earlyClose">How long the connection has to last to count as a success; zero, and for a trial: it does at once.</param>
    public readonly PassiveHealthEvent NoteConnected(TimeSpan earlyClose, Instant now)
    {
        PassiveHealthEvent lasted = earlyClose > TimeSpan.Zero ? _state!.EnterProbation(now, earlyClose) : PassiveHealthEvent.None;
        return earlyClose > TimeSpan.Zero && Trial == 0 ? lasted : _state!.Connects.CountSucceeded(Trial);
    }

    /// <param name="most">The number of failures in a row that takes the backend down; 0: failures are not counted.</param>
    public readonly PassiveHealthEvent NoteFailed(string fault, int most) => Trial != 0 || _epoch == _state!.Connects.Epoch
        ? _state!.Connects.CountFailed(fault, most, Trial) : PassiveHealthEvent.None;

    /// <summary>Releases the place; further calls do nothing. A trial whose connect has ended was ended by that.</summary>
    public void LetGo()
    {
        if (_state is { } state)
        {
            state.CountLetGo();
            ReturnTrial(state, Trial);
            this = default;
        }
    }
}
