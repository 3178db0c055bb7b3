using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using L4Balancer.Core.Config;
using L4Balancer.Logging;

namespace L4Balancer.CommandLine;

/// <summary>What is wrong with a command line, one line each, in words of this program: the library's name its types.</summary>
internal static partial class Mistakes
{
    public static IReadOnlyList<string> Of(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string[] unmatched = Unmatched(parsed);
        if (unmatched.Length > 0)
        {
            // What follows an unknown option or command may be its value.
            string[] options = [.. unmatched.Where(static t => t.Length > 1 && t[0] == '-')];
            return [.. (options.Length > 0 ? options : unmatched[..1]).Select(t => Unknown(parsed, command, t))];
        }

        return [.. parsed.Errors.Select(e => Plain(command, e.Message.TrimEnd('.'))).Distinct()];
    }

    /// <summary>What is neither an option nor an argument. An unknown option counts also where it was taken for an argument that the command has.</summary>
    public static string[] Unmatched(ParseResult parsed)
    {
        IEnumerable<string> arguments = parsed.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(static a => a.Tokens).Select(static t => t.Value);
        return [.. arguments.Where(static t => t.Length > 1 && t[0] == '-').Concat(parsed.UnmatchedTokens).Distinct()];
    }

    private static string Unknown(ParseResult parsed, Command command, string token)
    {
        string shown = LogText.ForTerminal(token);
        if (token[0] == '-')
        {
            string name = token.Split('=', ':')[0];
            IEnumerable<string> known = command.Options.Concat(parsed.RootCommandResult.Command.Options.Where(static o => o.Recursive))
                .Where(static o => !o.Hidden).Select(static o => o.Name);
            return $"unknown option {LogText.ForTerminal(name)}{Meant(name, known)}";
        }

        return command is RootCommand
            ? $"unknown command {shown}{Meant(token, command.Subcommands.Where(static c => !c.Hidden).Select(static c => c.Name))}"
            : $"{command.Name} does not take the argument {shown}";
    }

    private static string Meant(string name, IEnumerable<string> known) => NearestName.Meant(name, known) is string meant ? $"; did you mean {meant}?" : "";

    private static string Plain(Command command, string message)
    {
        if (message.StartsWith("Required command", StringComparison.Ordinal))
        {
            return $"a command is missing, one of {string.Join(", ", command.Subcommands.Where(static c => !c.Hidden).Select(static c => c.Name))}";
        }

        Match match = MissingArgument().Match(message);
        if (match.Success)
        {
            IEnumerable<string> needed = command.Arguments.Where(static a => a.Arity.MinimumNumberOfValues > 0).Select(static a => a.HelpName ?? a.Name);
            return $"{command.Name} needs {string.Join(" and ", needed)}";
        }

        match = MissingValue().Match(message);
        if (match.Success)
        {
            return $"{match.Groups[1].Value} needs a value";
        }

        match = MissingOption().Match(message);
        if (match.Success)
        {
            return $"{match.Groups[1].Value} is needed";
        }

        match = Twice().Match(message);
        if (match.Success)
        {
            return $"{match.Groups[1].Value} is given more than once";
        }

        match = WrongType().Match(message);
        return match.Success
            ? $"{match.Groups[2].Value}: {LogText.ForTerminal(match.Groups[1].Value)} is not of the form that it takes"
            : LogText.ForTerminal(message);
    }

    [GeneratedRegex("^Required argument missing for command: '.*'$", RegexOptions.CultureInvariant)]
    private static partial Regex MissingArgument();

    [GeneratedRegex("^Required argument missing for option: '(.*)'$", RegexOptions.CultureInvariant)]
    private static partial Regex MissingValue();

    [GeneratedRegex("^Option '(.*)' is required$", RegexOptions.CultureInvariant)]
    private static partial Regex MissingOption();

    [GeneratedRegex("^Option '(.*)' expects a single argument but", RegexOptions.CultureInvariant)]
    private static partial Regex Twice();

    [GeneratedRegex("^Cannot parse argument '(.*)' for (?:command|option) '(.*)' as expected type", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex WrongType();
}
