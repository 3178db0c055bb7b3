using L4Balancer.Admin.Access;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Control;
using L4Balancer.Core.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace L4Balancer.Admin;

/// <summary>The routes that rebalance a pool, and stop that.</summary>
internal sealed class PoolRoutes(AdminTarget target)
{
    private const string Path = "/v1/pools/{pool}/rebalance";

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost(Path, RebalanceAsync);
        routes.MapDelete(Path, StopAsync);
    }

    private Task RebalanceAsync(HttpContext http) => Query.OnlyAsync(http, [ShedQuery.Rate, ShedQuery.Tolerance], async () =>
    {
        string? wrong = ShedQuery.RateFault(http, out int? rate);
        if ((ShedQuery.ToleranceFault(http, out double tolerance) ?? wrong) is string fault)
        {
            await Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, fault);
            return;
        }

        string pool = (string)http.Request.RouteValues["pool"]!;
        RebalancePlan? plan = await target.Control.RebalanceAsync(pool, tolerance, rate, Requester.Of(http).Name);
        await (plan is null
            ? NoSuchPoolAsync(http, pool)
            : Reply.JsonAsync(
                http, new RebalanceAnswer(pool, plan.Connections, plan.TotalSurplus, plan.TotalDeficit), AdminJson.Default.RebalanceAnswer));
    });

    private Task StopAsync(HttpContext http) => Query.OnlyAsync(http, [], async () =>
    {
        string pool = (string)http.Request.RouteValues["pool"]!;
        RebalanceEnd end = await target.Control.StopRebalanceAsync(pool, Requester.Of(http).Name);
        await (!end.PoolExists
            ? NoSuchPoolAsync(http, pool)
            : Reply.JsonAsync(
                http, new RebalanceEndAnswer(pool, end.Closed is not null, end.Closed ?? 0), AdminJson.Default.RebalanceEndAnswer));
    });

    private Task NoSuchPoolAsync(HttpContext http, string pool) => Reply.ProblemAsync(
        http, StatusCodes.Status404NotFound,
        $"no pool {Query.Shown(pool)} in the configuration: {Advice.For(pool, target.Control.Snapshot.Pools.Select(static p => p.Name), "status")}");
}
