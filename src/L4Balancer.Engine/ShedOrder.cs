using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Pacing;

namespace L4Balancer.Engine;

/// <summary>An order to close established connections gracefully: which ones, for what reason and how fast.</summary>
public sealed record ShedOrder
{
    public required CloseReason Reason { get; init; }

    public required CloseRate CloseRate { get; init; }

    /// <summary>Orders that share one rate use the same instance.</summary>
    public RateLimiter RateLimiter { get; init; } = new();

    /// <summary>Maximum number of closes per backend, taken in turn; backends not listed keep all connections. Null: every connection.</summary>
    public IReadOnlyDictionary<BackendState, int>? Quotas { get; init; }

    /// <summary>
    /// Selects connections, in addition to the quotas; null: all of them. Called on event-loop threads, so it must not block.
    /// </summary>
    public Func<ConnectionRecord, bool>? Filter { get; init; }

    /// <summary>Connections with the lowest rank are closed first; null: any order. Called on event-loop threads, so it must not block.</summary>
    public Func<ConnectionRecord, long>? Rank { get; init; }
}
