namespace L4Balancer.Engine.Linux;

/// <summary>What threads are called; the kernel keeps 15 bytes of it (prctl(2), PR_SET_NAME).</summary>
internal static class ThreadNames
{
    /// <summary>How the names of event-loop threads begin.</summary>
    public const string Worker = "worker ";
}
