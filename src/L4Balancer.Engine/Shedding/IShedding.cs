using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Shedding;

/// <summary>What closing at a pace needs of an engine.</summary>
internal interface IShedding
{
    /// <summary>Finds who is established and not being closed yet, a slice at a time.</summary>
    /// <param name="isMeant">By backend.</param>
    Task<List<ShedCandidate>> FindAsync(ShedOrder order, Func<BackendCell, bool> isMeant);

    /// <summary>Closes one in its own time.</summary>
    /// <param name="told">Whether it was there, and open, until now; on the thread that serves it.</param>
    void Close(in ShedCandidate candidate, CloseReason reason, Action<bool> told);

    /// <summary>Done when every close that was asked for before has been told.</summary>
    Task TurnAsync();
}
