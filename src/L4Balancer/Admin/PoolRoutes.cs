using L4Balancer.Admin.Access;
using L4Balancer.Admin.Answers;
using L4Balancer.Core.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace L4Balancer.Admin;

/// <summary>The route that rebalances a pool.</summary>
internal sealed class PoolRoutes(AdminTarget target)
{
    public void Map(IEndpointRouteBuilder routes) => routes.MapPost("/v1/pools/{pool}/rebalance", RebalanceAsync);

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
            ? Reply.ProblemAsync(http, StatusCodes.Status404NotFound, $"no pool {Query.Shown(pool)} in the configuration: /v1/status lists all")
            : Reply.JsonAsync(
                http, new RebalanceAnswer(pool, plan.Connections, plan.TotalSurplus, plan.TotalDeficit), AdminJson.Default.RebalanceAnswer));
    });
}
