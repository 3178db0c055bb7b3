namespace L4Balancer.Engine.Linux;

/// <summary>Names of threads; the kernel keeps 15 bytes (prctl(2), PR_SET_NAME).</summary>
internal static class ThreadNames
{
    /// <summary>Prefix of the names of event-loop threads.</summary>
    public const string Worker = "worker ";
}
