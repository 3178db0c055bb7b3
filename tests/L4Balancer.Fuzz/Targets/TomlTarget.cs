using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Fuzz.Targets;

/// <summary>TOML: a document, or mistakes at positions inside the text, in the words of this program.</summary>
internal sealed class TomlTarget : FuzzTarget
{
    // What the library underneath says, and what is said where nothing is known.
    private static readonly string[] NotOurs = ["Tomlyn", "Syntax", "not valid TOML"];

    public static IReadOnlyList<byte[]> Signs { get; } = Texts.Of(
        "[", "]", "[[", "]]", "{", "}", "\"", "'", "\"\"\"", "'''", "\\", "\\u", "\\U0010FFFF", "\n", "\r", "\r\n", "=", ",", ".", "#", " ", "\0",
        "\u00c3\u00a9", "\u00ff", "\u00ef\u00bb\u00bf", "1979-05-27", "0001-01-01", "T", "07:32:00", "Z", "+", "-", "_", "0x", "1e9", "inf", "nan", "true",
        "99999999999999999999", "a = ", "[a]", "[[a]]", "a.b = ");

    public override string Name => "toml";

    public override IReadOnlyList<byte[]> Fragments => Signs;

    public override IEnumerable<byte[]> Seeds() =>
    [
        .. Texts.Of(
            "# comment\ntitle = \"a\\tb\"\n[owner]\ndob = 1979-05-27T07:32:00-08:00\n[a.b]\nc.d = [1, 2.5, 'x', { y = true }]\n[[e]]\n[[e]]\nf = 0x1F\n",
            "a = \"\"\"\nx\\\n  y\"\"\"\nb = '''z'''\n\"c d\" = inf\n", "a = [\n1,\n# c\n2,\n]\nb = {c = 1, d = [[], {}]}\r\n"),
        .. SampleFiles.Toml(2000),
    ];

    public override bool Run(byte[] bytes)
    {
        TomlDocument document = TomlReader.Read(bytes);
        CheckPositions(document.Errors.Select(e => (e.Position, e.Message)), bytes);
        Finding.Unless(document.Errors.Length <= TomlReader.MaxErrors, $"{document.Errors.Length} errors");
        CheckValue(document.Root, bytes, 0);
        return document.Errors.IsEmpty;
    }

    /// <summary>Positions lie inside the text, and a message is one line.</summary>
    public static void CheckPositions(IEnumerable<(TomlPosition Position, string Message)> errors, byte[] bytes)
    {
        foreach ((TomlPosition position, string message) in errors)
        {
            CheckPosition(position, bytes);
            Texts.CheckShown(message);
            Finding.Unless(!NotOurs.Any(message.Contains), $"{position}: {message}");
        }
    }

    private static void CheckPosition(TomlPosition position, byte[] bytes)
    {
        int lines = bytes.AsSpan().Count((byte)'\n') + 1;
        Finding.Unless(position.Line >= 1 && position.Line <= lines && position.Column >= 1 && position.Column <= bytes.Length + 1, $"{position} is outside the text");
    }

    private static void CheckValue(TomlNode node, byte[] bytes, int depth)
    {
        CheckPosition(node.Position, bytes);
        Finding.Unless(depth <= TomlReader.MaxDepth, $"a value at depth {depth}");
        foreach (TomlNode item in node is TomlArray array ? array.Items : ImmutableArray<TomlNode>.Empty)
        {
            CheckValue(item, bytes, depth + 1);
        }

        foreach (TomlEntry entry in node is TomlTable table ? table.Entries : [])
        {
            CheckPosition(entry.KeyPosition, bytes);
            Finding.Unless(((TomlTable)node).TryGet(entry.Key, out TomlEntry? found) && found == entry, $"{entry.Key} is not found");
            CheckValue(entry.Value, bytes, depth + 1);
        }
    }
}
