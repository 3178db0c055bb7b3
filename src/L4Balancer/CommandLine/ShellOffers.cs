using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Globalization;
using L4Balancer.Hosting;
using L4Balancer.Logging;

namespace L4Balancer.CommandLine;

/// <summary>
/// What may come next on a command line, for the completion of shells: <c>[suggest:N] LINE</c> prints one offer a line for the first N
/// characters of LINE, and <c>[describe:N] LINE</c> also what it is, after a tab. Options are offered to a word that begins with <c>-</c>, or
/// where nothing else may come; an argument that is given already is not offered again.
/// </summary>
internal sealed class ShellOffers(Directive directive, bool isDescribed) : SynchronousCommandLineAction
{
    private const string Help = "help ";

    // Response files are disabled here too: a word with @ is one.
    private static readonly ParserConfiguration Literal = new() { ResponseFileTokenReplacer = null };

    public override bool ClearsParseErrors => true;

    public static void AddTo(RootCommand root)
    {
        foreach (bool isDescribed in new[] { false, true })
        {
            var directive = new Directive(isDescribed ? "describe" : "suggest") { Hidden = true };
            directive.Action = new ShellOffers(directive, isDescribed);
            root.Directives.Add(directive);
        }
    }

    public override int Invoke(ParseResult parseResult)
    {
        string line = parseResult.Tokens.LastOrDefault(static t => t.Type != TokenType.Directive)?.Value ?? "";
        string? count = parseResult.GetResult(directive) is { Values: [string first, ..] } ? first : null;
        int length = int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out int asked) ? asked : line.Length;
        foreach (CompletionItem offer in After(parseResult.RootCommandResult.Command, line[..Math.Min(length, line.Length)]))
        {
            string what = isDescribed && offer.Detail is { Length: > 0 } detail ? $"\t{FirstSentence(detail)}" : "";
            parseResult.InvocationConfiguration.Output.WriteLine(LogText.ForTerminal(offer.Label) + what);
        }

        return ExitCode.Fine;
    }

    private static IEnumerable<CompletionItem> After(Command root, string line)
    {
        // The first word is the program.
        int program = line.IndexOf(' ', StringComparison.Ordinal);
        if (program < 0)
        {
            return [];
        }

        string words = line[(program + 1)..].TrimStart(' ');
        bool isHelp = words.StartsWith(Help, StringComparison.Ordinal);
        words = isHelp ? words[Help.Length..] : words;
        int last = words.LastIndexOf(' ') + 1;
        (string before, string word) = (words[..last], words[last..]);
        bool isAssigned = word.StartsWith("--", StringComparison.Ordinal) && word.Contains('=', StringComparison.Ordinal);
        if (isAssigned)
        {
            int sign = word.IndexOf('=', StringComparison.Ordinal);
            (before, word) = ($"{before}{word[..sign]} ", word[(sign + 1)..]);
        }

        ParseResult parsed = root.Parse(before, Literal);
        IEnumerable<CompletionItem> offers = isHelp ? Commands(root)
            : WithoutValue(parsed, isAssigned) is Option option ? option.GetCompletions(parsed.GetCompletionContext())
            : isAssigned ? []
            : word.StartsWith('-') ? OptionsOf(parsed)
            : Arguments(parsed);
        return offers.Where(o => o.Label.StartsWith(word, StringComparison.Ordinal));
    }

    private static IEnumerable<CompletionItem> Arguments(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        Argument? next = command.Arguments.FirstOrDefault(a => (parsed.GetResult(a)?.Tokens.Count ?? 0) < a.Arity.MaximumNumberOfValues);
        CompletionItem[] offers = [.. Commands(command), .. next?.GetCompletions(parsed.GetCompletionContext()) ?? []];
        return offers.Length > 0 ? offers : OptionsOf(parsed);
    }

    // The option that the next word is the value of.
    private static Option? WithoutValue(ParseResult parsed, bool isAssigned) => parsed.Tokens is [.., { Type: TokenType.Option } token]
        && Known(parsed).FirstOrDefault(o => o.Name == token.Value || o.Aliases.Contains(token.Value)) is { } option
        && (isAssigned || option.Arity.MinimumNumberOfValues > 0) ? option : null;

    private static IEnumerable<CompletionItem> OptionsOf(ParseResult parsed) =>
        Known(parsed).Where(o => o.AllowMultipleArgumentsPerToken || parsed.GetResult(o) is not { Implicit: false })
            .Select(static o => new CompletionItem(o.Name, detail: o.Description)).OrderBy(static o => o.Label, StringComparer.Ordinal);

    private static IEnumerable<Option> Known(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        IEnumerable<Option> inherited = command is RootCommand ? []
            : parsed.RootCommandResult.Command.Options.Where(static o => o.Recursive);
        bool isAlone = CommandLineRoot.Alone.Contains(command.Name);
        return command.Options.Concat(inherited.Where(o => !isAlone || o is HelpOption)).Where(static o => !o.Hidden);
    }

    private static IEnumerable<CompletionItem> Commands(Command command) =>
        command.Subcommands.Where(static c => !c.Hidden).Select(static c => new CompletionItem(c.Name, detail: c.Description))
            .OrderBy(static c => c.Label, StringComparer.Ordinal);

    private static string FirstSentence(string text)
    {
        int end = text.IndexOf(". ", StringComparison.Ordinal);
        return LogText.ForTerminal((end < 0 ? text : text[..end]).TrimEnd('.'));
    }
}
