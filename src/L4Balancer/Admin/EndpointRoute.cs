using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Direct;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin;

/// <summary>GET /v1/endpoint of the admin API: what a client that asked the endpoint API would get; counts nothing.</summary>
internal static class EndpointRoute
{
    public static Task WriteAsync(HttpContext http, EndpointDesk desk)
    {
        HostAddress client = http.Connection.RemoteIpAddress is { } address ? HostAddress.From(address) : HostAddress.Any4;
        EndpointQuery? query = EndpointQuery.Of(http.Request, client, isNegotiate: false, out string mistake);
        if (query is null)
        {
            return Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, mistake);
        }

        return desk.PoolOf(query.Pool) is Pool pool
            ? EndpointReply.WriteAsync(http, desk, pool, query, desk.Look(pool, query.Ask))
            : EndpointReply.NoPoolAsync(http, query.Pool);
    }
}
