using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>Selects the connections that an operator wants closed.</summary>
/// <param name="Matches">Called on event-loop threads: must not block.</param>
/// <param name="Text">The filter in words, for the log.</param>
internal sealed record CloseFilter(Func<ConnectionRecord, bool> Matches, string Text);

/// <summary>
/// Closes the established connections that match a filter. It selects among those that exist when it begins: clients that connect again are
/// not closed again.
/// </summary>
/// <param name="orders">They run at the same time; together they select each connection once.</param>
internal sealed class FilteredClose(CloseFilter filter, IReadOnlyList<ShedOrder> orders, IEngine engine, ILogger log) : PacedClose
{
    protected override async Task RunAsync()
    {
        int[] closed = await Task.WhenAll(orders.Select(o => engine.ShedAsync(o, Stopped)));
        log.FilteredCloseEnds(filter.Text, closed.Sum(), CloseReason.Admin.Name());
    }
}
