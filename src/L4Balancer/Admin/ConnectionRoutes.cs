using System.Globalization;
using L4Balancer.Admin.Access;
using L4Balancer.Admin.Answers;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Admin;

/// <summary>Routes that list connections and close one, or all that match a filter.</summary>
internal sealed class ConnectionRoutes(AdminTarget target, ILogger log)
{
    // A listing interrupts every event loop, so only one runs at a time and further requests wait asynchronously. The field is static
    // because the routes live as long as the process; a semaphore whose wait handle is not used needs no disposal.
    private static readonly SemaphoreSlim Listing = new(1, 1);

    private static readonly string[] ClosingParameters = [.. ConnectionFilter.Parameters, ShedQuery.Rate];

    private static readonly TimeSpan AgesFor = TimeSpan.FromSeconds(2);

    private volatile Counted? _ages;

    public void Map(IEndpointRouteBuilder routes, string[] reading)
    {
        routes.MapMethods("/v1/connections", reading, ListAsync).WithMetadata(Guard.LargeAnswer);
        routes.MapMethods("/v1/ages", reading, AgesAsync);
        routes.MapDelete("/v1/connections/{id}", CloseAsync);
        routes.MapDelete("/v1/connections", CloseMatchingAsync);
    }

    private Task ListAsync(HttpContext http) => Query.OnlyAsync(http, ConnectionQuery.Parameters, async () =>
    {
        if (ConnectionQuery.TryRead(http, out string mistake) is not ConnectionQuery query)
        {
            await Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, mistake);
            return;
        }

        using var listing = new ConnectionListing(query);
        await ListAsync(http, listing.Add);
        Instant now = Instant.Now(target.Clock);
        var answer = new ConnectionsAnswer(listing.Total, listing.InOrder().Select(c => Of(c, now)));
        await Reply.LargeJsonAsync(http, answer, AdminJson.Default.ConnectionsAnswer);
    });

    private Task AgesAsync(HttpContext http) => Query.OnlyAsync(http, [], async () =>
    {
        // All clients share one count, because its cost is proportional to the number of connections.
        Instant now = Instant.Now(target.Clock);
        if (_ages is not { } ages || now - ages.At > AgesFor)
        {
            var count = new AgeCount(now);
            await ListAsync(http, count.Add);
            _ages = ages = new Counted(now, count.Answer(target.Clock.GetUtcNow()));
        }

        await Reply.JsonAsync(http, ages.Answer, AdminJson.Default.AgesAnswer);
    });

    private async Task ListAsync(HttpContext http, Action<OpenConnection> visit)
    {
        await Listing.WaitAsync(http.RequestAborted);
        try
        {
            target.Engine.List(visit);
        }
        finally
        {
            Listing.Release();
        }
    }

    private Task CloseAsync(HttpContext http) => Query.OnlyAsync(http, [], () =>
    {
        var text = (string)http.Request.RouteValues["id"]!;
        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id))
        {
            return Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, $"{Query.Shown(text)} is not the id of a connection: it must be a number");
        }

        if (!target.Engine.Close(id, CloseReason.Admin))
        {
            return Reply.ProblemAsync(http, StatusCodes.Status404NotFound, $"no connection {id} is open: `l4balancer connections` lists all");
        }

        log.ConnectionClosed(id, Requester.Of(http).Name);
        return Reply.JsonAsync(
            http, new ClosingAnswer(id, CloseReason.Admin.Name()), AdminJson.Default.ClosingAnswer, StatusCodes.Status202Accepted);
    });

    private Task CloseMatchingAsync(HttpContext http) => Query.OnlyAsync(http, ClosingParameters, async () =>
    {
        string? fault = ShedQuery.RateFault(http, out int? rate);
        ConnectionFilter? filter = ConnectionFilter.TryRead(http, out string mistake);
        if (filter is null || filter.IsEmpty || fault is not null)
        {
            await Reply.ProblemAsync(
                http, StatusCodes.Status400BadRequest,
                filter is null ? mistake : fault ?? $"give at least one of {string.Join(", ", ConnectionFilter.Parameters)}");
            return;
        }

        if (filter.Unknown(target.Control.Snapshot) is string unknown)
        {
            await Reply.ProblemAsync(http, StatusCodes.Status404NotFound, unknown);
            return;
        }

        int count = 0;
        Dictionary<PoolState, int> pools = [];
        await ListAsync(http, connection =>
        {
            if (connection.Record.IsEstablished && filter.Matches(connection.Record))
            {
                count++;
                pools[connection.Record.Pool] = connection.Record.Origin.Policy.CloseRate;
            }
        });
        await target.Control.CloseMatchingAsync(
            filter.ForClosing(), pools, count, rate, Requester.Of(http).Name);
        await Reply.JsonAsync(
            http, new ClosingManyAnswer(count, CloseReason.Admin.Name()), AdminJson.Default.ClosingManyAnswer, StatusCodes.Status202Accepted);
    });

    private static ConnectionAnswer Of(in OpenConnection connection, Instant now)
    {
        ConnectionRecord record = connection.Record;
        return new ConnectionAnswer(
            record.Id, record.Tuple.Source.ToString(), record.Tuple.Destination.ToString(), record.Listener.Name, record.Pool.Name,
            record.Backend?.Name, record.IsEstablished && !record.LocalEndpoint.IsUnix ? record.LocalEndpoint.ToString() : null, Seconds(now - record.AcceptedAt),
            Seconds(now - connection.LastActivity), record.BytesToBackend, record.BytesToClient, record.Generation,
            record.IsHalfClosed ? "half_closed" : record.IsEstablished ? "active" : "pending",
            NullIfEmpty(record.Route), NullIfEmpty(record.Origin.Rule), record.Names?.Sni, record.Names?.Host, record.Names?.Key);
    }

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    private sealed record Counted(Instant At, AgesAnswer Answer);

    // Another thread made the record: its time may be slightly later than now.
    private static double Seconds(TimeSpan time) => Math.Max(0, Math.Round(time.TotalSeconds, 3));
}
