using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Notes connections in the worker's part of the ledger, so that a process after this one can go on with them; does nothing if there is no
/// ledger. What changes with every read is noted by <see cref="Transfer"/> itself.
/// </summary>
internal sealed class LedgerNotes(Worker worker)
{
    /// <summary>Minimum time between two lines about connections that have no entry.</summary>
    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private Instant _nextLine;

    /// <summary>
    /// The connection is established, and its PROXY header is written or held: whoever goes on with it sends none. What is held makes it
    /// dirty.
    /// </summary>
    public void Established(in Slot slot)
    {
        if (worker.Ledger is not { } ledger || slot.End.HasCause)
        {
            return;
        }

        var start = new EntryStart(
            EndsOf(slot.End), slot.ClientIsUnix, HoldsInMemory(slot.ToBackend), HoldsInMemory(slot.ToClient),
            slot.ToBackend.Pipe, slot.ToClient.Pipe);
        if (!ledger.Begin(slot.Index, slot.Client, slot.Backend, slot.Record, start) && worker.Now >= _nextLine)
        {
            _nextLine = worker.Now + BetweenLines;
            worker.Engine.Log.NotInLedger(slot.Record.Id, worker.Number, ledger.Unwritten);
        }
    }

    /// <summary>
    /// Notes that the connection has a cause to end, if it has one. Whoever took it over would not know of the cause, so it is reset then.
    /// </summary>
    public void Ending(in Slot slot)
    {
        if (worker.Ledger is { } ledger && slot.End.HasCause)
        {
            ledger.NoteEnding(slot.Index);
        }
    }

    /// <summary>Whether bytes of the connection would be lost with this process.</summary>
    public static bool HoldsInMemory(in Slot slot) => HoldsInMemory(slot.ToBackend) || HoldsInMemory(slot.ToClient);

    private static bool HoldsInMemory(in Flow flow) => flow.Held > 0 && flow.Pipe == PipePool.None;

    private static EntryEnds EndsOf(in ConnectionEnd end) =>
        (end.SourceEnded(Side.Client) ? EntryEnds.ClientFinished : EntryEnds.None)
        | (end.SourceEnded(Side.Backend) ? EntryEnds.BackendFinished : EntryEnds.None)
        | (end.IsPassedOn(Side.Client) ? EntryEnds.PassedToBackend : EntryEnds.None)
        | (end.IsPassedOn(Side.Backend) ? EntryEnds.PassedToClient : EntryEnds.None);
}
