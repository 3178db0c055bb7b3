using System.Diagnostics.CodeAnalysis;
using Tomlyn;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Reads TOML 1.0, and what TOML 1.1 adds (toml.io/en/v1.1.0), with Tomlyn. Never throws on bad text: mistakes are in the document's
/// errors, in the order of the text, at most <see cref="MaxErrors"/>. Bounds: 64 MiB, and <see cref="MaxDepth"/> levels.
/// </summary>
/// <remarks>
/// Tomlyn decides what is valid, up to what is said at <see cref="TomlTreeWalk"/>. A text without a mistake is parsed once. In a text
/// with one, <see cref="TomlRecovery"/> parses each statement for itself, so that a mistake in one does not hide those of the others.
/// </remarks>
public static class TomlReader
{
    /// <summary>A person mends a few and tries again; a hundred says that the file is something else than TOML.</summary>
    public const int MaxErrors = 100;

    /// <summary>Tables and arrays within one another, below the root; an array of tables is two. What walks a document may recurse that deep.</summary>
    public const int MaxDepth = 128;

    // Protects the stack; the walk counts exactly, and says where.
    private static readonly TomlSerializerOptions Options = new() { MaxDepth = 2 * MaxDepth };

    public static TomlDocument Read(ReadOnlySpan<byte> utf8)
    {
        TomlErrorList errors = new();
        TomlTreeWalk walk = new(errors);
        string text = TomlText.Decode(utf8, errors);
        if (TryParse(text, out DocumentSyntax? whole) && !whole.HasErrors) walk.AddDocument(whole);
        else new TomlRecovery(text, walk, errors).Read();

        // Only where a statement is valid for itself and not in its place: no text is known that does it.
        if (errors.IsEmpty && whole?.HasErrors != false)
        {
            TextPosition place = whole?.Diagnostics[0].Span.Start ?? default;
            errors.AddSyntax(new TomlPosition(place.Line + 1, place.Column + 1), "this is not valid TOML");
        }

        return new TomlDocument(walk.Build(), errors.InOrder());
    }

    /// <summary>
    /// False where Tomlyn gives up: it throws on too much depth, and on local dates and times that do not exist in the time zone of
    /// the machine, as 0001-01-01 east of Greenwich. Its validator is left out: the walk does its work, and names where the first stands.
    /// </summary>
    internal static bool TryParse(string text, [NotNullWhen(true)] out DocumentSyntax? document)
    {
        // Tomlyn skips a byte order mark. That of the file is gone already, and a further one is a mistake: so is what stands in for it.
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
