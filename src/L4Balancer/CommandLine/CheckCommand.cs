using System.CommandLine;
using L4Balancer.Admin.Access;
using L4Balancer.Configuration;
using L4Balancer.Direct;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary>
/// <c>check</c>: reports all errors of a configuration file at once. Without <c>--host</c> it looks at the file alone, so that the answer is the same on every
/// host, and beside a running daemon.
/// </summary>
internal static class CheckCommand
{
    public static (Command, string) Create(TextWriter output, TextWriter errors)
    {
        var file = new Argument<string?>("FILE") { Description = "The configuration file, as --config", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> config = Options.Config();
        var strict = new Option<bool>("--strict") { Description = "Warnings fail as well: exit code 2" };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Prints nothing where nothing is wrong" };
        var host = new Option<bool>("--host")
        {
            Description = "Also tries what run would refuse on this host: addresses, ports, rights and names. A daemon that is running holds its own ports",
        };
        var command = new Command("check", "Validates the configuration file and prints every error as FILE:LINE:COL.") { file, config, strict, quiet, host };
        command.Validators.Add(result =>
        {
            if (result.GetResult(config) is { Implicit: false } && result.GetResult(file) is { Tokens.Count: > 0 })
            {
                result.AddError("the file is given twice: write it either alone or with --config");
            }
        });
        command.SetAction(async (parsed, _) =>
        {
            ConfigFile read = await ConfigFile.LoadAsync(parsed.GetValue(file) ?? parsed.GetValue(config), TimeProvider.System);
            (string[] faults, string[] warnings) = await FindAsync(read, parsed.GetValue(host));
            Array.ForEach(faults, errors.WriteLine);
            Array.ForEach(warnings, errors.WriteLine);
            bool isFine = faults.Length == 0 && (warnings.Length == 0 || !parsed.GetValue(strict));
            if (isFine && !parsed.GetValue(quiet))
            {
                (int listeners, int pools) = (read.Config!.Listeners.Length, read.Config.Pools.Length);
                int backends = read.Config.Pools.Sum(p => p.Backends.Length);
                output.WriteLine($"{read.Path}: ok (listeners: {listeners}, pools: {pools}, backends: {backends})");
            }

            return isFine ? ExitCode.Fine : ExitCode.BadUsage;
        });
        return (command, "l4balancer check --config balancer.toml");
    }

    private static async Task<(string[] Errors, string[] Warnings)> FindAsync(ConfigFile file, bool onHost)
    {
        if (file.Config is not { } config)
        {
            return ([.. file.Errors], [.. file.Warnings]);
        }

        List<string> errors = [];
        List<string> warnings = [];
        if (config.Endpoint is { } endpoint && await EndpointServer.WhyNotAsync(endpoint) is string unfit)
        {
            errors.Add(unfit);
        }

        if (TokenFile.Warning(config.Admin.TokenFile) is string unusable)
        {
            warnings.Add($"token_file {config.Admin.TokenFile}: {unusable}");
        }

        if (onHost)
        {
            errors.AddRange(HostCheck.Errors(config));
            warnings.AddRange(await HostCheck.WarningsAsync(config));
        }

        return ([.. errors.Select(e => $"{file.Path}: error: {e}")], [.. file.Warnings, .. warnings.Select(w => $"{file.Path}: warning: {w}")]);
    }
}
