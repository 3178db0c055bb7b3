using System.CommandLine;
using L4Balancer.Admin.Access;
using L4Balancer.Configuration;
using L4Balancer.Direct;
using L4Balancer.Hosting;
using L4Balancer.Platform;

namespace L4Balancer.CommandLine;

/// <summary><c>check</c>: reports all errors of a configuration file at once.</summary>
internal static class CheckCommand
{
    public static (Command, string) Create(TextWriter output, TextWriter errors)
    {
        Option<string?> config = Options.Config();
        var command = new Command("check", "Validates the configuration file and prints every error as FILE:LINE:COL.") { config };
        command.SetAction((parsed, _) => CheckAsync(parsed.GetValue(config), output, errors));
        return (command, "l4balancer check --config balancer.toml");
    }

    private static async Task<int> CheckAsync(string? option, TextWriter output, TextWriter errors)
    {
        ConfigFile file = await ConfigFile.LoadAsync(option, TimeProvider.System);
        foreach (string error in file.Errors)
        {
            errors.WriteLine(error);
        }

        if (file.Config is null)
        {
            return ExitCode.BadUsage;
        }

        if (file.Config.Endpoint is { } endpoint && await EndpointServer.WhyNotAsync(endpoint) is string unfit)
        {
            errors.WriteLine($"{file.Path}: error: {unfit}");
            return ExitCode.BadUsage;
        }

        if (LocalPorts.Warning(file.Config) is string warning)
        {
            errors.WriteLine($"{file.Path}: warning: {warning}");
        }

        foreach (string limited in BufferLimits.Warnings(file.Config))
        {
            errors.WriteLine($"{file.Path}: warning: {limited}");
        }

        if (TokenFile.Warning(file.Config.Admin.TokenFile) is string unusable)
        {
            errors.WriteLine($"{file.Path}: warning: token_file {file.Config.Admin.TokenFile}: {unusable}");
        }

        (int listeners, int pools) = (file.Config.Listeners.Length, file.Config.Pools.Length);
        int backends = file.Config.Pools.Sum(p => p.Backends.Length);
        output.WriteLine($"{file.Path}: ok (listeners: {listeners}, pools: {pools}, backends: {backends})");
        return ExitCode.Fine;
    }
}
