using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Connections;

/// <summary>
/// What a connection occupies at its chosen backend until it is connected or gives up: one of the places for pending connects, and possibly
/// the trial of a backend that is down.
/// </summary>
internal struct BackendPlace
{
    private BackendCell? _cell;

    /// <summary>The id of the trial in the backend's <see cref="ConnectHealth"/>; 0 for an ordinary connection or after release.</summary>
    public int Trial { get; private set; }

    public static BackendPlace Take(BackendCell cell, int trial)
    {
        cell.CountPicked();
        return new BackendPlace { _cell = cell, Trial = trial };
    }

    /// <summary>Returns a trial that ended without a result about the backend; another connection may take it.</summary>
    public static void ReturnTrial(BackendCell cell, int trial)
    {
        if (trial != 0)
        {
            cell.Connects.ReturnTrial(trial);
        }
    }

    public readonly ConnectNews NoteConnected() => _cell!.Connects.CountSucceeded(Trial);

    /// <param name="most">The number of failures in a row that takes the backend down; 0: failures are not counted.</param>
    public readonly ConnectNews NoteFailed(string fault, int most) => _cell!.Connects.CountFailed(fault, most, Trial);

    /// <summary>Releases the place; further calls do nothing. A trial whose connect has ended was ended by that.</summary>
    public void LetGo()
    {
        if (_cell is { } cell)
        {
            cell.CountLetGo();
            ReturnTrial(cell, Trial);
            this = default;
        }
    }
}
