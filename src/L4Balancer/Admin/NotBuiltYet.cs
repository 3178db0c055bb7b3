namespace L4Balancer.Admin;

/// <summary>Paths of the contract that are not there yet: a 404 that says so.</summary>
internal static class NotBuiltYet
{
    public static string? Of(string? path) => path switch
    {
        "/v1/endpoint" => "handing out endpoints is not supported yet",
        _ => null,
    };
}
