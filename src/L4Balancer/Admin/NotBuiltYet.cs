namespace L4Balancer.Admin;

/// <summary>Paths of the contract that are not there yet: a 404 that says so.</summary>
internal static class NotBuiltYet
{
    public static string? Of(string? path) => path switch
    {
        "/" => "the status page is not supported yet; l4balancer top shows the state",
        "/v1/endpoint" => "handing out endpoints is not supported yet",
        _ => null,
    };
}
