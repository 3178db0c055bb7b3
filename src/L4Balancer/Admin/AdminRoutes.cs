using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using L4Balancer.Admin.Access;
using L4Balancer.Admin.Answers;
using L4Balancer.Configuration;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Page;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Admin;

/// <summary>All paths of the admin API. A test compares them with <c>docs/openapi.json</c>.</summary>
internal sealed class AdminRoutes
{
    private static readonly string[] ReadyParameters = ["pool"];
    private static readonly string[] Reading = [HttpMethods.Get, HttpMethods.Head];

    private static readonly string[] AfterParameters = ["after"];

    private readonly AdminTarget _target;
    private readonly ILogger _log;
    private readonly BackendRoutes _backends;
    private readonly PoolRoutes _pools;
    private readonly ConnectionRoutes _connections;

    private AdminRoutes(AdminTarget target, ILogger log)
    {
        _target = target;
        _log = log;
        _backends = new BackendRoutes(target);
        _pools = new PoolRoutes(target);
        _connections = new ConnectionRoutes(target, log);
    }

    public static void Map(IEndpointRouteBuilder routes, AdminTarget target, ILogger log) => new AdminRoutes(target, log).MapAll(routes);

    private void MapAll(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/", Reading, StatusPage.WriteAsync);
        routes.MapMethods("/healthz", Reading, HealthAsync);
        routes.MapMethods("/readyz", Reading, ReadyAsync);
        routes.MapMethods("/metrics", Reading, http => _target.Metrics.AnswerAsync(http)).WithMetadata(Guard.LimitsItself);
        routes.MapMethods("/v1/status", Reading, StatusAsync);
        routes.MapMethods("/v1/events", Reading, EventsAsync);
        routes.MapMethods("/v1/history", Reading, HistoryAsync);
        routes.MapMethods("/v1/config", Reading, ConfigAsync).WithMetadata(Guard.LargeAnswer);
        routes.MapMethods("/v1/fleet", Reading, FleetAsync).WithMetadata(Guard.LargeAnswer);
        routes.MapMethods("/v1/locate", Reading, http => LocateReply.WriteAsync(http, _target.Control.Snapshot, Instant.Now(_target.Clock)));
        routes.MapMethods("/v1/endpoint", Reading, http => EndpointRoute.WriteAsync(http, _target.Endpoints));
        routes.MapPost("/v1/reload", ReloadAsync);
        routes.MapPost("/v1/upgrade", http => UpgradeRoute.WriteAsync(http, _target));
        _backends.Map(routes, Reading);
        _pools.Map(routes);
        _connections.Map(routes, Reading);
    }

    private static Task HealthAsync(HttpContext http) => Reply.TextAsync(http, StatusCodes.Status200OK, "ok");

    private Task ReadyAsync(HttpContext http) => Query.OnlyAsync(http, ReadyParameters, () =>
    {
        Pool? pool = null;
        if (Query.Value(http, "pool") is string name)
        {
            pool = _target.Control.Snapshot.Pools.FirstOrDefault(p => p.Name == name);
            if (pool is null)
            {
                return Reply.ProblemAsync(
                    http, StatusCodes.Status404NotFound, $"no pool {Query.Shown(name)} in the configuration: `l4balancer status` lists all");
            }
        }

        return !_target.IsReady() ? Reply.TextAsync(http, StatusCodes.Status503ServiceUnavailable, "draining")
            : pool is { HasLiving: false } ? Reply.TextAsync(http, StatusCodes.Status503ServiceUnavailable, "no living backend")
            : Reply.TextAsync(http, StatusCodes.Status200OK, "ready");
    });

    private Task StatusAsync(HttpContext http) => Query.OnlyAsync(http, [], () =>
        Reply.JsonAsync(http, StatusReport.Of(_target), AdminJson.Default.StatusAnswer));

    private Task EventsAsync(HttpContext http) => Query.OnlyAsync(http, AfterParameters, () =>
    {
        string? text = Query.Value(http, "after");
        if (!long.TryParse(text ?? "0", NumberStyles.None, CultureInfo.InvariantCulture, out long after))
        {
            return Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, $"after={Query.Shown(text)}: the number of an event, 0 for all");
        }

        var answer = new EventsAnswer(
            [.. _target.Events.After(after).Select(e => new EventAnswer(e.Number, e.At.UtcDateTime, NameOf(e.Level), e.Text))]);
        return Reply.JsonAsync(http, answer, AdminJson.Default.EventsAnswer);
    });

    private Task HistoryAsync(HttpContext http) => Query.OnlyAsync(http, AfterParameters, async () =>
    {
        string? text = Query.Value(http, "after");
        if (!long.TryParse(text ?? "0", NumberStyles.None, CultureInfo.InvariantCulture, out long after))
        {
            await Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, $"after={Query.Shown(text)}: the number of a sample, 0 for all");
            return;
        }

        http.Response.ContentType = "application/json";
        await using (var json = new Utf8JsonWriter(http.Response.BodyWriter))
        {
            _target.History.Write(json, after);
        }

        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    });

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warning",
        _ => "error",
    };

    private Task ConfigAsync(HttpContext http) => Query.OnlyAsync(http, [], () =>
        Reply.LargeJsonAsync(http, ConfigJson.Of(_target.Control.Config), AdminJson.Default.JsonObject));

    private Task FleetAsync(HttpContext http) => Query.OnlyAsync(http, [], () => _target.Fleet is { } fleet
        ? Reply.LargeJsonAsync(http, FleetReport.Of(fleet, _target.Control.Now.Desired), AdminJson.Default.FleetAnswer)
        : Reply.ProblemAsync(
            http, StatusCodes.Status404NotFound, "this balancer is not one of a fleet: its configuration has no [fleet] table, docs/fleet.md"));

    private Task ReloadAsync(HttpContext http) => Query.OnlyAsync(http, [], async () =>
    {
        string who = Requester.Of(http).Name;
        if (_target.Upgrader?.HoldReload(who) == true)
        {
            await Reply.ProblemAsync(
                http, StatusCodes.Status409Conflict,
                "an upgrade is under way: the reload is held back, and the process that serves afterwards does it (GET /v1/status)");
            return;
        }

        ReloadResult result = await _target.Control.ReloadAsync(who);
        if (result.Outcome == ReloadOutcome.Failed)
        {
            string detail = string.Create(
                CultureInfo.InvariantCulture, $"configuration reload failed: generation {result.Generation} remains active");
            await Reply.ProblemAsync(http, StatusCodes.Status422UnprocessableEntity, detail, result.Errors);
            return;
        }

        var answer = new ReloadAnswer(
            result.Outcome == ReloadOutcome.Applied ? "applied" : "unchanged",
            result.Generation,
            [.. result.Changes.Select(c => new ChangeAnswer(c.Path, Parse(c.Before), Parse(c.After)))],
            result.NeedsRestart);
        await Reply.JsonAsync(http, answer, AdminJson.Default.ReloadAnswer);
    });

    private static JsonNode? Parse(string? json) => json is null ? null : JsonNode.Parse(json);
}
