using System.Text.Json;
using L4Balancer.Admin.Access;
using L4Balancer.Admin.Answers;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace L4Balancer.Admin;

/// <summary>Routes that list backends and change one at run time.</summary>
internal sealed class BackendRoutes(AdminTarget target)
{
    private const string One = "/v1/backends/{pool}/{name}";
    private const int HeaviestWeight = 1000;

    public void Map(IEndpointRouteBuilder routes, string[] reading)
    {
        routes.MapMethods("/v1/backends", reading, ListAsync);
        routes.MapMethods(One, reading, ShowAsync);
        routes.MapPost(One + "/drain", DrainAsync);
        routes.MapPost(One + "/ready", http => ModeAsync(http, BackendMode.Ready));
        routes.MapPost(One + "/maint", http => ModeAsync(http, BackendMode.Maintenance));
        routes.MapPut(One + "/weight", WeightAsync);
    }

    private Task ListAsync(HttpContext http) => Query.OnlyAsync(http, [], () => Reply.JsonAsync(
        http, new BackendsAnswer(new BackendReport(target).All(target.Control.Snapshot)), AdminJson.Default.BackendsAnswer));

    private Task ShowAsync(HttpContext http) => Query.OnlyAsync(http, [], () => AnswerAsync(http));

    private Task ModeAsync(HttpContext http, BackendMode mode) => Query.OnlyAsync(http, [], () => SetAsync(http, mode, null));

    private Task DrainAsync(HttpContext http) => Query.OnlyAsync(http, [ShedQuery.Rate, ShedQuery.Within], () =>
        ShedQuery.Fault(http, out CloseRate? rate) is string fault
            ? Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, fault)
            : SetAsync(http, BackendMode.Draining, rate));

    private async Task SetAsync(HttpContext http, BackendMode mode, CloseRate? rate)
    {
        (string pool, string name) = Names(http);
        await DoneAsync(http, await target.Control.SetModeAsync(pool, name, mode, Requester.Of(http).Name, rate));
    }

    private Task WeightAsync(HttpContext http) => Query.OnlyAsync(http, [], async () =>
    {
        WeightRequest? request;
        try
        {
            request = await JsonSerializer.DeserializeAsync(http.Request.Body, AdminJson.Default.WeightRequest, http.RequestAborted);
        }
        catch (JsonException)
        {
            request = null;
        }

        if (request is null || request.Weight is < 0 or > HeaviestWeight)
        {
            await Reply.ProblemAsync(
                http, StatusCodes.Status400BadRequest, $"the body must be {{\"weight\": N}} with N from 0 to {HeaviestWeight}");
            return;
        }

        (string pool, string name) = Names(http);
        await DoneAsync(http, await target.Control.SetWeightAsync(pool, name, request.Weight, Requester.Of(http).Name));
    });

    private Task DoneAsync(HttpContext http, bool found)
    {
        if (found)
        {
            return AnswerAsync(http);
        }

        (string pool, string name) = Names(http);
        return target.Control.Snapshot.Removed.Backends.Any(b => b.State.Pool == pool && b.Name == name)
            ? Reply.ProblemAsync(
                http, StatusCodes.Status404NotFound,
                $"backend {Query.Shown($"{pool}/{name}")} has left the configuration: as long as it has connections, it can be drained")
            : NoSuchBackendAsync(http);
    }

    private Task AnswerAsync(HttpContext http)
    {
        (string pool, string name) = Names(http);
        return new BackendReport(target).Find(target.Control.Snapshot, pool, name) is BackendAnswer found
            ? Reply.JsonAsync(http, found, AdminJson.Default.BackendAnswer)
            : NoSuchBackendAsync(http);
    }

    private static Task NoSuchBackendAsync(HttpContext http)
    {
        (string pool, string name) = Names(http);
        return Reply.ProblemAsync(
            http, StatusCodes.Status404NotFound, $"no backend {Query.Shown($"{pool}/{name}")} in the configuration: /v1/backends lists all");
    }

    private static (string Pool, string Name) Names(HttpContext http) =>
        ((string)http.Request.RouteValues["pool"]!, (string)http.Request.RouteValues["name"]!);
}
