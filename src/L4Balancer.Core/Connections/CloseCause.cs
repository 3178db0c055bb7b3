using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Connections;

/// <summary>Why a connection ends: the first cause is kept, on whichever thread it arises.</summary>
public struct CloseCause
{
    private byte _reason;

    public readonly CloseReason Reason => (CloseReason)Volatile.Read(in _reason);

    public readonly bool IsSet => Reason != CloseReason.None;

    /// <summary>Replaces a provisional cause by a more precise one; no effect if another cause is set.</summary>
    public void Refine(CloseReason provisional, CloseReason precise) =>
        Interlocked.CompareExchange(ref _reason, (byte)precise, (byte)provisional);

    /// <returns>Whether this was the first cause.</returns>
    public bool TrySet(CloseReason reason) =>
        Interlocked.CompareExchange(ref _reason, (byte)reason, (byte)CloseReason.None) == (byte)CloseReason.None;
}
