using System.CommandLine;
using System.Runtime.InteropServices;
using L4Balancer.Core.Config;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>version</c>: prints version information.</summary>
internal static class VersionCommand
{
    public static (Command, string) Create(TextWriter output)
    {
        var command = new Command("version", "Prints version, commit, runtime, and the engine that `auto` selects on this host.");
        command.SetAction(_ =>
        {
            output.WriteLine($"l4balancer {BuildVersion.Current.Version}");
            output.WriteLine($"commit     {BuildVersion.Current.Commit}");
            output.WriteLine($"runtime    {RuntimeInformation.FrameworkDescription} ({RuntimeInformation.RuntimeIdentifier})");
            output.WriteLine($"engine     {EngineChoice.NameOf(EngineKind.Auto)}");
            return ExitCode.Fine;
        });
        return (command, "l4balancer version");
    }
}
