using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>Selects the connections that an operator wants closed.</summary>
/// <param name="Matches">Called on event-loop threads: must not block.</param>
/// <param name="Text">The filter in words, for the log.</param>
/// <param name="Parts">The filter as an operator gave it, for another process.</param>
internal sealed record CloseFilter(Func<ConnectionRecord, bool> Matches, string Text, ImmutableArray<(string Part, string Value)> Parts);

/// <summary>
/// Closes the established connections that match a filter. It selects among those that exist when it begins: clients that connect again are
/// not closed again.
/// </summary>
/// <param name="orders">They run at the same time; together they select each connection once.</param>
/// <param name="perSecond">As an operator gave it; null: each pool at its own rate.</param>
internal sealed class FilteredClose(CloseFilter filter, IReadOnlyList<ShedOrder> orders, int? perSecond, IEngine engine, ILogger log) : PacedClose
{
    /// <summary>For another process to go on with.</summary>
    public CarriedShed Carried => new(ShedKind.Filter) { Reason = CloseReason.Admin, PerSecond = perSecond, Filter = filter.Parts };

    protected override async Task RunAsync()
    {
        int[] closed = await Task.WhenAll(orders.Select(o => engine.ShedAsync(o, Stopped)));
        log.FilteredCloseEnds(filter.Text, closed.Sum(), CloseReason.Admin.Name());
    }
}
