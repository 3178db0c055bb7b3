namespace L4Balancer.Engine.Linux;

/// <summary>Names of threads; the kernel keeps 15 bytes (prctl(2), PR_SET_NAME).</summary>
public static class ThreadNames
{
    /// <summary>Prefix of the names of event-loop threads.</summary>
    public const string Worker = "worker ";

    /// <summary>The thread that hands connections to another process; while it does, they stand still.</summary>
    public const string Upgrade = "l4b-upgrade";
}
