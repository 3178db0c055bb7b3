using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary>The command line: all commands, and the reporting of usage errors.</summary>
internal static class CommandLineRoot
{
    private const string Example = "l4balancer run --config /etc/l4balancer/balancer.toml";

    /// <summary>The commands that ask no daemon.</summary>
    public static IReadOnlyList<string> Alone { get; } = ["run", "check", "demo", "version", "decapsulate"];

    /// <returns>The exit code.</returns>
    public static async Task<int> InvokeAsync(string[] args, TextWriter output, TextWriter errors)
    {
        RootCommand root = Build(output, errors);

        // An argument that starts with @ is taken literally; response files are disabled.
        string[] asked = args is ["help", .. string[] command] ? [.. command, "--help"] : args;
        ParseResult parsed = root.Parse(asked, new ParserConfiguration { ResponseFileTokenReplacer = null });
        bool isCommand = parsed.Action is not null && ReferenceEquals(parsed.Action, parsed.CommandResult.Command.Action);
        if (parsed.Action is ParseErrorAction || (isCommand && Mistakes.Unmatched(parsed).Length > 0))
        {
            foreach (string error in Mistakes.Of(parsed))
            {
                errors.WriteLine($"l4balancer: {error}: see {Help(parsed)}");
            }

            return ExitCode.BadUsage;
        }

        // The daemon handles signals itself; the library's handler would end the process after two seconds.
        return await parsed.InvokeAsync(new InvocationConfiguration
        {
            Output = output,
            Error = errors,
            ProcessTerminationTimeout = null,
            EnableDefaultExceptionHandler = false,
        });
    }

    private static RootCommand Build(TextWriter output, TextWriter errors)
    {
        var root = new RootCommand("A layer-4 load balancer: it distributes TCP connections over backends and relays their bytes unchanged.");

        // Those that shell completions use; the library's own are for its developers.
        root.Directives.Clear();
        ShellOffers.AddTo(root);
        var asking = new AdminSession(new Screen(output, errors));
        root.Options.Add(asking.Admin);
        root.Options.Add(asking.TokenFile);
        root.Options.Add(asking.Timeout);
        var examples = new Dictionary<Command, string> { [root] = Example };
        foreach ((Command command, string example) in new[]
        {
            RunCommand.Create(errors),
            CheckCommand.Create(output, errors),
            DemoCommand.Create(output, errors),
            StatusCommand.Create(asking),
            BackendsCommand.Create(asking),
            ConnectionsCommand.Create(asking),
            TopCommand.Create(asking),
            EventsCommand.Create(asking),
            ConfigCommand.Create(asking),
            FleetCommand.Create(asking),
            LocateCommand.Create(asking),
            EndpointCommand.Create(asking),
            ReloadCommand.Create(asking),
            UpgradeCommand.Create(asking),
            CloseCommand.Create(asking),
            DecapsulateCommand.Create(output, errors),
            VersionCommand.Create(output),
        }.Concat(ChangeCommands.Create(asking)).Concat(ShedCommands.Create(asking)))
        {
            root.Subcommands.Add(command);
            examples.Add(command, example);
        }

        VersionOption version = root.Options.OfType<VersionOption>().Single();
        version.Aliases.Add("-V");
        version.Action = new PrintVersion();
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExample((HelpAction)help.Action!, examples, asking);
        return root;
    }

    private static string Help(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "l4balancer --help" : $"l4balancer {parsed.CommandResult.Command.Name} --help";

    private sealed class PrintVersion : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine($"l4balancer {BuildVersion.Current.Version}");
            return ExitCode.Fine;
        }
    }

    private sealed class HelpWithExample(HelpAction help, IReadOnlyDictionary<Command, string> examples, AdminSession asking) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            bool isAlone = Alone.Contains(parseResult.CommandResult.Command.Name);
            asking.Admin.Hidden = asking.TokenFile.Hidden = asking.Timeout.Hidden = isAlone;
            int code = help.Invoke(parseResult);
            if (examples.TryGetValue(parseResult.CommandResult.Command, out string? example))
            {
                TextWriter output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Example:");
                output.WriteLine($"  {example}");
                output.WriteLine();
            }

            return code;
        }
    }
}
