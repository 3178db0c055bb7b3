using System.CommandLine;
using L4Balancer.Configuration;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary>Options that more than one command takes.</summary>
internal static class Options
{
    public static Option<string?> Config() => new("--config")
    {
        Description = $"The configuration file; else the one that {ConfigFile.Variable} names, else {ConfigFile.DefaultPath}",
        HelpName = "FILE",
    };
}
