using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Pacing;

namespace L4Balancer.Engine;

/// <summary>Established connections that an engine is to close in good order, which ones, why and how fast.</summary>
public sealed record ShedOrder
{
    public required CloseReason Reason { get; init; }

    public required Tempo Tempo { get; init; }

    /// <summary>Shared with whoever closes by the same rate.</summary>
    public Pace Pace { get; init; } = new();

    /// <summary>How many of each backend at most, in turn; what is not named keeps all. Null: every connection there is.</summary>
    public IReadOnlyDictionary<BackendCell, int>? Quotas { get; init; }

    /// <summary>The lowest go first; null: any. Called on the threads that serve: quick, and without a wait.</summary>
    public Func<ConnectionRecord, long>? Rank { get; init; }
}
