using System.Diagnostics.CodeAnalysis;
using Tomlyn;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Reads TOML 1.0, and what TOML 1.1 adds (toml.io/en/v1.1.0), with Tomlyn. Never throws on invalid text: mistakes are in the document's
/// errors, in the order of the text, at most <see cref="MaxErrors"/>. Bounds: 8 MiB, the <see cref="TomlWeight"/>, and
/// <see cref="MaxDepth"/> levels.
/// </summary>
/// <remarks>
/// Tomlyn decides what is valid, except for the checks in <see cref="TomlTreeWalk"/>. A text without a mistake is parsed once. In a text
/// with one, <see cref="TomlRecovery"/> parses each statement separately, so that a mistake in one does not hide those of the others.
/// </remarks>
public static class TomlReader
{
    /// <summary>A person corrects a few and tries again; a hundred mean that the file is not TOML.</summary>
    public const int MaxErrors = 100;

    /// <summary>
    /// The nesting of tables and arrays below the root; an array of tables counts as two. Code that walks a document may recurse that deep.
    /// </summary>
    public const int MaxDepth = 128;

    // Protects the stack; the exact depth is checked by the walk, which reports the position.
    private static readonly TomlSerializerOptions Options = new() { MaxDepth = 2 * MaxDepth };

    public static TomlDocument Read(ReadOnlySpan<byte> utf8)
    {
        TomlErrorList errors = new();
        TomlTreeWalk walk = new(errors);
        string text = TomlText.Decode(utf8, errors);
        TomlPosition? refusal = ReadWhole(text, walk);
        if (refusal is not null) new TomlRecovery(text, walk, errors).Read();

        // Only if every statement is valid by itself but the whole is not; no such text is known.
        if (errors.IsEmpty && refusal is { } place) errors.AddSyntax(place, "this is not valid TOML");
        return new TomlDocument(walk.Build(), errors.InOrder());
    }

    /// <summary>Null, or where Tomlyn refuses the text; a tree with mistakes is garbage before the next one is made.</summary>
    private static TomlPosition? ReadWhole(string text, TomlTreeWalk walk)
    {
        if (!TryParse(text, out DocumentSyntax? whole)) return new TomlPosition(1, 1);
        if (whole.HasErrors)
        {
            TextPosition place = whole.Diagnostics[0].Span.Start;
            return new TomlPosition(place.Line + 1, place.Column + 1);
        }

        walk.AddDocument(whole);
        return null;
    }

    /// <summary>
    /// False if Tomlyn throws: on too much depth, and on local dates and times that do not exist in the time zone of the machine, such as
    /// 0001-01-01 east of Greenwich. Its validator is not used: the walk does the same checks, and names the position of the first
    /// definition.
    /// </summary>
    internal static bool TryParse(string text, [NotNullWhen(true)] out DocumentSyntax? document)
    {
        // Tomlyn skips a byte order mark. The one of the file has been removed already, and a further one is a mistake; so is its
        // replacement.
        if (text.StartsWith('\uFEFF')) text = string.Concat("!", text.AsSpan(1));
        try
        {
            document = SyntaxParser.Parse(text, Options, sourceName: null, validate: false);
            return true;
        }
        catch (Exception e) when (e is TomlException or ArgumentException or FormatException or InvalidOperationException)
        {
            document = null;
            return false;
        }
    }
}
