using System.CommandLine;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary>Reserved commands that are not supported yet: they report this for any arguments and fail as bad usage.</summary>
internal static class UnbuiltCommands
{
    private static readonly (string Name, string What, string Example)[] All =
    [
        ("upgrade", "Replaces the running process with a new one", "l4balancer upgrade"),
    ];

    public static IEnumerable<(Command, string)> Create(TextWriter errors)
    {
        foreach ((string name, string what, string example) in All)
        {
            var command = new Command(name, $"{what} (not supported yet).") { TreatUnmatchedTokensAsErrors = false };
            command.SetAction(_ =>
            {
                errors.WriteLine($"l4balancer: {name}: not supported yet; a later version will have it");
                return ExitCode.BadUsage;
            });
            yield return (command, example);
        }
    }
}
