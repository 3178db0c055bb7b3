using System.CommandLine;
using L4Balancer.Configuration;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary>Options that several commands share.</summary>
internal static class Options
{
    public static Option<string?> Config() => new("--config")
    {
        Description = $"The configuration file; default: the value of {ConfigFile.Variable}, else {ConfigFile.DefaultPath}",
        HelpName = "FILE",
    };
}
