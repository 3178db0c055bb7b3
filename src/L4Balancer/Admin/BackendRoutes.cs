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
        routes.MapMethods("/v1/backends", reading, ListAsync).WithMetadata(Guard.LargeAnswer);
        routes.MapMethods(One, reading, ShowAsync);
        routes.MapPost(One + "/drain", DrainAsync);
        routes.MapPost(One + "/ready", http => ModeAsync(http, BackendMode.Ready));
        routes.MapPost(One + "/maint", http => ModeAsync(http, BackendMode.Maintenance));
        routes.MapPut(One + "/weight", WeightAsync);
    }

    private Task ListAsync(HttpContext http) => Query.OnlyAsync(http, [], () => Reply.LargeJsonAsync(
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
        bool wasServed = IsServed(pool);
        await DoneAsync(http, await target.Control.SetModeAsync(pool, name, mode, Requester.Of(http).Name, rate), wasServed);
    }

    private Task WeightAsync(HttpContext http) => Query.OnlyAsync(http, [], async () =>
    {
        WeightRequest? request = await RequestBody.ReadAsync(http, AdminJson.Default.WeightRequest);
        if (request is null || request.Weight is < 0 or > HeaviestWeight)
        {
            await Reply.ProblemAsync(
                http, StatusCodes.Status400BadRequest, $"the body must be {{\"weight\": N}} with N from 0 to {HeaviestWeight}");
            return;
        }

        (string pool, string name) = Names(http);
        bool wasServed = IsServed(pool);
        await DoneAsync(http, await target.Control.SetWeightAsync(pool, name, request.Weight, Requester.Of(http).Name), wasServed);
    });

    /// <param name="wasServed">Whether a backend of the pool took connections before the change.</param>
    private Task DoneAsync(HttpContext http, bool found, bool wasServed)
    {
        (string pool, string name) = Names(http);
        if (found)
        {
            return AnswerAsync(http, WarningOf(pool, name, wasServed));
        }

        return target.Control.Snapshot.Removed.Backends.Any(b => b.State.Pool == pool && b.Name == name)
            ? Reply.ProblemAsync(
                http, StatusCodes.Status404NotFound,
                $"backend {Query.Shown($"{pool}/{name}")} has left the configuration: as long as it has connections, it can be drained")
            : NoSuchBackendAsync(http);
    }

    private Task AnswerAsync(HttpContext http, string? warning = null)
    {
        (string pool, string name) = Names(http);
        return new BackendReport(target).Find(target.Control.Snapshot, pool, name) is BackendAnswer found
            ? Reply.JsonAsync(http, found with { Warning = warning }, AdminJson.Default.BackendAnswer)
            : NoSuchBackendAsync(http);
    }

    // A backend that has left the configuration is not one of a pool in force: its drain changes nothing for the pool.
    private string? WarningOf(string pool, string name, bool wasServed)
    {
        Pool? now = target.Control.Snapshot.Pools.FirstOrDefault(p => p.Name == pool);
        return now is null || now.HasAvailable || now.Backends.All(b => b.Name != name) ? null
            : wasServed ? $"{name} was the last backend of {pool} that took connections: new ones are refused until a backend is ready"
            : $"no backend of {pool} takes connections: new ones are refused until a backend is up and ready";
    }

    private bool IsServed(string pool) => target.Control.Snapshot.Pools.FirstOrDefault(p => p.Name == pool) is { HasAvailable: true };

    private static Task NoSuchBackendAsync(HttpContext http)
    {
        (string pool, string name) = Names(http);
        return Reply.ProblemAsync(
            http, StatusCodes.Status404NotFound, $"no backend {Query.Shown($"{pool}/{name}")} in the configuration: /v1/backends lists all");
    }

    private static (string Pool, string Name) Names(HttpContext http) =>
        ((string)http.Request.RouteValues["pool"]!, (string)http.Request.RouteValues["name"]!);
}
