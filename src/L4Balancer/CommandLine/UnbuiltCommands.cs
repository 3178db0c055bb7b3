using System.CommandLine;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary>Commands of the contract that are not built yet: they say so, whatever follows them, and fail as bad usage.</summary>
internal static class UnbuiltCommands
{
    private static readonly (string Name, string What, string Example)[] All =
    [
        ("status", "Shows the state of the daemon", "l4balancer status --json"),
        ("backends", "Lists the backends", "l4balancer backends"),
        ("connections", "Lists connections", "l4balancer connections --backend chat/ws1"),
        ("top", "Shows the state live", "l4balancer top"),
        ("drain", "Sends a backend no new connections", "l4balancer drain chat/ws1"),
        ("ready", "Takes a backend back into service", "l4balancer ready chat/ws1"),
        ("maint", "Takes a backend out for maintenance", "l4balancer maint chat/ws1"),
        ("weight", "Changes the weight of a backend", "l4balancer weight chat/ws1 50"),
        ("rebalance", "Sheds the surplus of over-full backends", "l4balancer rebalance chat"),
        ("close", "Closes one connection", "l4balancer close 4711"),
        ("reload", "Reads the configuration again", "l4balancer reload"),
        ("upgrade", "Replaces the running process by a new one", "l4balancer upgrade"),
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
