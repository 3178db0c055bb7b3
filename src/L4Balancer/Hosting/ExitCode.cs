namespace L4Balancer.Hosting;

/// <summary>The exit codes of the process; scripts depend on them.</summary>
internal static class ExitCode
{
    public const int Fine = 0;
    public const int Failed = 1;
    public const int BadUsage = 2;
    public const int NoDaemon = 3;
}
