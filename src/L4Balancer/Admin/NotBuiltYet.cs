namespace L4Balancer.Admin;

/// <summary>Reserved paths that are not supported yet; the 404 says so.</summary>
internal static class NotBuiltYet
{
    public static string? Of(string? path) => path switch
    {
        _ => null,
    };
}
