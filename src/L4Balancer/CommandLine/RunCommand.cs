using System.CommandLine;
using L4Balancer.Configuration;
using L4Balancer.Engine.Epoll;
using L4Balancer.Hosting;
using L4Balancer.Recovery;

namespace L4Balancer.CommandLine;

/// <summary><c>run</c>: runs the daemon in the foreground.</summary>
internal static class RunCommand
{
    public static (Command, string) Create(TextWriter errors)
    {
        Option<string?> config = Options.Config();
        var command = new Command("run", "Runs the daemon in the foreground until SIGTERM, SIGINT or SIGQUIT.") { config };
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(config), errors));
        return (command, "l4balancer run --config /etc/l4balancer/balancer.toml");
    }

    private static async Task<int> RunAsync(string? option, TextWriter errors)
    {
        // First, so that no handled signal can kill the process during start.
        Signals signals = Signals.CatchUntilExit();
        Task<ConfigFile> loading = ConfigFile.LoadAsync(option, TimeProvider.System);
        if (await signals.StopBeforeAsync(loading) is Signal early)
        {
            errors.WriteLine($"l4balancer: {Signals.NameOf(early)}: stopped while the configuration was being read");
            return ExitCode.Fine;
        }

        ConfigFile file = await loading;
        if (file.Config is null)
        {
            foreach (string error in file.Errors)
            {
                errors.WriteLine(error);
            }

            return ExitCode.BadUsage;
        }

        // It copies the memory of this moment, which is little yet.
        var keeper = ConnectionKeeper.Start(file.Config, EngineChoice.NameOf(file.Config.Balancer.Engine) == EpollEngine.EngineName);
        int code = await new Foreground(signals, errors) { Keeper = keeper }.RunAsync(file.Config, file.Path, file.Stamp);

        // Not after an exception: that is a crash, and the next daemon goes on with the connections.
        keeper.Stop();
        return code;
    }
}
