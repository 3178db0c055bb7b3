using System.CommandLine;
using L4Balancer.Configuration;
using L4Balancer.Engine.Epoll;
using L4Balancer.Hosting;
using L4Balancer.Logging;
using L4Balancer.Recovery;
using L4Balancer.Upgrade;

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
        UpgradeFaults? faults = UpgradeFaults.FromEnvironment();
        if (faults is null)
        {
            string value = LogText.ForTerminal(Environment.GetEnvironmentVariable(UpgradeFaults.Variable) ?? "");
            errors.WriteLine($"l4balancer: {UpgradeFaults.Variable}={value}: no such step or action; remove this variable, which is for tests");
            return ExitCode.BadUsage;
        }

        _ = UpgradeProgram.Own;
        Takeover? takeover = TakeoverOf(UpgradeEnvironment.TakeChannel(), faults);
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

            if (OperatingSystem.IsLinux())
            {
                takeover?.Side.GiveUp(file.Errors[0]);
            }

            return ExitCode.BadUsage;
        }

        // It copies the memory of this moment, which is little yet.
        bool isEpoll = EngineChoice.NameOf(file.Config.Balancer.Engine) == EpollEngine.EngineName;
        var keeper = ConnectionKeeper.Start(file.Config, isEpoll, replaces: takeover is not null);
        int code = await new Foreground(signals, errors)
        {
            Keeper = keeper,
            Takeover = takeover,
            Faults = takeover is null ? faults : UpgradeFaults.None,
        }.RunAsync(file.Config, file.Path, file.Stamp);

        // Not after an exception: that is a crash, and the next daemon goes on with the connections.
        keeper.Stop();
        return code;
    }

    /// <returns>Null if this process was started otherwise than by an upgrade.</returns>
    private static Takeover? TakeoverOf(UpgradeChannel? channel, UpgradeFaults faults) => channel is not null && OperatingSystem.IsLinux()
        ? new Takeover(new NewSide(channel, faults, new UpgradeLimits(), TimeProvider.System)) : null;
}
