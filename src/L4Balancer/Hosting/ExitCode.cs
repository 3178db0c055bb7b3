namespace L4Balancer.Hosting;

/// <summary>How the process ends; people script against these.</summary>
internal static class ExitCode
{
    public const int Fine = 0;
    public const int Failed = 1;
    public const int BadUsage = 2;
    public const int NoDaemon = 3;
}
