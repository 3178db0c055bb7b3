using System.Text.RegularExpressions;

namespace L4Balancer.Tests.Documents;

/// <summary>A page for users, as they read it.</summary>
internal sealed partial class Document(string path)
{
    private readonly string _text = File.ReadAllText(Repository.PathOf(path));

    public static IEnumerable<string> Paths { get; } =
    [
        "README.md", "ARCHITECTURE.md", "CHANGELOG.md",
        .. Directory.EnumerateFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Repository.PathOf("packaging", "examples"), "*.md", SearchOption.AllDirectories))
            .Select(p => Path.GetRelativePath(Repository.Root, p)).Order(StringComparer.Ordinal),
    ];

    /// <summary>What it links in the repository, from its root.</summary>
    public IEnumerable<string> Links => Link().Matches(_text).Select(m => m.Groups[1].Value.Split('#')[0]).Where(l => l.Length > 0)
        .Select(l => Path.Combine(Path.GetDirectoryName(path)!, l));

    /// <summary>Commands of ours that it names, in a block or in a sentence.</summary>
    public IEnumerable<string> Commands => Command().Matches(_text).Select(m => m.Groups[1].Value).Distinct();

    /// <summary>Its blocks of one language.</summary>
    public IEnumerable<string> Blocks(string language) =>
        Block().Matches(_text).Where(m => m.Groups[1].Value == language).Select(m => m.Groups[2].Value);

    [GeneratedRegex(@"\]\(([^):]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"(?:`|^|&& )l4balancer ([a-z]+)", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex("^```([a-z]+)\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();
}
