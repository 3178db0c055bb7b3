using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Connections;

/// <summary>
/// What a connection holds of the backend that it was sent to, until it is connected there or gives it up: a place among those under way,
/// and perhaps the trial of one that is down.
/// </summary>
internal struct BackendPlace
{
    private BackendCell? _cell;

    /// <summary>Of the backend's <see cref="ConnectHealth"/>; 0 where it is an ordinary connection, or it was let go.</summary>
    public int Trial { get; private set; }

    public static BackendPlace Take(BackendCell cell, int trial)
    {
        cell.CountPicked();
        return new BackendPlace { _cell = cell, Trial = trial };
    }

    /// <summary>A trial that came to nothing by no fault of the backend: another may have it.</summary>
    public static void ReturnTrial(BackendCell cell, int trial)
    {
        if (trial != 0)
        {
            cell.Connects.ReturnTrial(trial);
        }
    }

    public readonly ConnectNews NoteConnected() => _cell!.Connects.CountSucceeded(Trial);

    /// <param name="most">Failures in a row that are one too many; 0: they are not counted.</param>
    public readonly ConnectNews NoteFailed(string fault, int most) => _cell!.Connects.CountFailed(fault, most, Trial);

    /// <summary>Once; nothing after that. A trial whose connect has ended has ended with it.</summary>
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
