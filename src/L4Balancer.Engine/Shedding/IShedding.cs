using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Shedding;

/// <summary>The operations that paced closing needs from an engine.</summary>
internal interface IShedding
{
    /// <summary>Finds the established connections that are not being closed yet, a slice at a time.</summary>
    /// <param name="isMeant">Selects connections by their backend.</param>
    Task<List<ShedCandidate>> FindAsync(ShedOrder order, Func<BackendState, bool> isMeant);

    /// <summary>Starts an orderly close of one connection.</summary>
    /// <param name="told">Called with whether the connection was still open, on the thread that serves it.</param>
    void Close(in ShedCandidate candidate, CloseReason reason, Action<bool> told);

    /// <summary>Completes when the callback of every close requested before has been called.</summary>
    Task PingLoopsAsync();
}
