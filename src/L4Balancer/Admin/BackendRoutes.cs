using L4Balancer.Admin.Access;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
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

    private static readonly string[] NoParameters = [];
    private static readonly string[] UntilParameters = [ShedQuery.Until];
    private static readonly string[] DrainParameters = [ShedQuery.Rate, ShedQuery.Within, ShedQuery.Until];

    public void Map(IEndpointRouteBuilder routes, string[] reading)
    {
        routes.MapMethods("/v1/backends", reading, ListAsync).WithMetadata(Guard.LargeAnswer);
        routes.MapMethods(One, reading, ShowAsync);
        routes.MapPost(One + "/drain", DrainAsync);
        routes.MapPost(One + "/ready", http => ModeAsync(http, BackendMode.Ready, NoParameters));
        routes.MapPost(One + "/maint", http => ModeAsync(http, BackendMode.Maintenance, UntilParameters));
        routes.MapPut(One + "/weight", WeightAsync);
    }

    private Task ListAsync(HttpContext http) => Query.OnlyAsync(http, [], () => Reply.LargeJsonAsync(
        http, new BackendsAnswer(new BackendReport(target).All(target.Control.Snapshot)), AdminJson.Default.BackendsAnswer));

    private Task ShowAsync(HttpContext http) => Query.OnlyAsync(http, [], () => AnswerAsync(http));

    private Task ModeAsync(HttpContext http, BackendMode mode, string[] parameters) => Query.OnlyAsync(http, parameters, () =>
        ShedQuery.UntilFault(http, out TimeSpan? lasts) is string fault
            ? Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, fault)
            : SetAsync(http, mode, null, lasts));

    private Task DrainAsync(HttpContext http) => Query.OnlyAsync(http, DrainParameters, () =>
    {
        TimeSpan? lasts = null;
        string? wrong = ShedQuery.Fault(http, out CloseRate? rate) ?? ShedQuery.UntilFault(http, out lasts);
        return wrong is string fault
            ? Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, fault) : SetAsync(http, BackendMode.Draining, rate, lasts);
    });

    private async Task SetAsync(HttpContext http, BackendMode mode, CloseRate? rate, TimeSpan? lasts)
    {
        (string pool, string name) = Names(http);
        bool wasServed = IsServed(pool);
        await DoneAsync(http, await target.Control.SetModeAsync(pool, name, mode, Requester.Of(http).Name, rate, lasts), wasServed);
    }

    private Task WeightAsync(HttpContext http) => Query.OnlyAsync(http, UntilParameters, async () =>
    {
        if (ShedQuery.UntilFault(http, out TimeSpan? lasts) is string fault)
        {
            await Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, fault);
            return;
        }

        WeightRequest? request = await RequestBody.ReadAsync(http, AdminJson.Default.WeightRequest);
        if (request is null || request.Weight is < 0 or > HeaviestWeight)
        {
            await Reply.ProblemAsync(
                http, StatusCodes.Status400BadRequest, $"the body must be {{\"weight\": N}} with N from 0 to {HeaviestWeight}");
            return;
        }

        (string pool, string name) = Names(http);
        bool wasServed = IsServed(pool);
        await DoneAsync(http, await target.Control.SetWeightAsync(pool, name, request.Weight, Requester.Of(http).Name, lasts), wasServed);
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

    private string? WarningOf(string pool, string name, bool wasServed)
    {
        string[] all = [.. new[] { UnservedBy(pool, name, wasServed), FlowsBrokenBy(pool, name), NotShared(pool, name) }.OfType<string>()];
        return all.Length == 0 ? null : string.Join("; ", all);
    }

    // Without a table of flows the packets of established ones go where new ones go.
    private string? FlowsBrokenBy(string pool, string name)
    {
        RoutingSnapshot now = target.Control.Snapshot;
        Listener? forgetful = now.Listeners.FirstOrDefault(l => l.IsPacket && l.Settings.Flows == 0 && l.Pool.Name == pool);
        if (forgetful is null || forgetful.Pool.Backends.FirstOrDefault(b => b.Name == name) is not { } backend || forgetful.Pool.IsReady(backend.Index))
        {
            return null;
        }

        return forgetful.Settings.SecondChance
            ? $"listener {forgetful.Name} has flows = 0: the established flows of {name} stay by the second chance until the next change of the backends"
            : $"listener {forgetful.Name} has flows = 0: the established flows of {name} break, because their packets go to other backends";
    }

    private string? NotShared(string pool, string name)
    {
        BackendOverride set = target.Control.Now.Desired.Overrides[pool, name];
        return target.Fleet?.Status is not { } fleet || (set.ModeOrigin is null or { IsShared: true } && set.WeightOrigin is null or { IsShared: true }) ? null
            : "not shared yet: it holds on this balancer, and on the others once etcd has it"
                + (fleet.IsConnected ? "" : $"; etcd is away ({fleet.Fault})");
    }

    // A backend that has left the configuration is not one of a pool in force: its drain changes nothing for the pool.
    private string? UnservedBy(string pool, string name, bool wasServed)
    {
        Pool? now = target.Control.Snapshot.Pools.FirstOrDefault(p => p.Name == pool);
        return now is null || now.HasAvailable || now.Backends.All(b => b.Name != name) ? null
            : wasServed ? $"{name} was the last backend of {pool} that took connections: new ones are refused until a backend is ready"
            : $"no backend of {pool} takes connections: new ones are refused until a backend is up and ready";
    }

    private bool IsServed(string pool) => target.Control.Snapshot.Pools.FirstOrDefault(p => p.Name == pool) is { HasAvailable: true };

    private Task NoSuchBackendAsync(HttpContext http)
    {
        (string pool, string name) = Names(http);
        IEnumerable<string> known = target.Control.Snapshot.Pools.SelectMany(static p => p.Backends, static (p, b) => $"{p.Name}/{b.Name}");
        return Reply.ProblemAsync(
            http, StatusCodes.Status404NotFound,
            $"no backend {Query.Shown($"{pool}/{name}")} in the configuration: {Advice.For($"{pool}/{name}", known, "backends")}");
    }

    private static (string Pool, string Name) Names(HttpContext http) =>
        ((string)http.Request.RouteValues["pool"]!, (string)http.Request.RouteValues["name"]!);
}
