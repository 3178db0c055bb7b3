using Tomlyn.Syntax;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Translates Tomlyn's messages about a statement, which name tokens and parser states, into this program's words. The kind of mistake is
/// recognised from the text of the message; the tests of positions and of recovery check this. For an unknown kind the position is still
/// right.
/// </summary>
internal static class TomlDiagnosis
{
    private const string KeyForm = "A-Z a-z 0-9 _ and -";

    /// <param name="text">The whole text.</param>
    /// <param name="part">The statement as it was parsed, possibly with unreadable parts replaced.</param>
    /// <param name="statement">The position of the statement in the text.</param>
    /// <param name="document">The result of parsing, with errors.</param>
    /// <returns>The first mistake.</returns>
    public static TomlMistake Of(string text, string part, TomlStatement statement, DocumentSyntax document)
    {
        (int at, string said) = First(document, part.Length);
        int offset = statement.Start + at;
        string found = TomlExcerpt.At(text, offset);
        bool Says(string words) => said.Contains(words, StringComparison.Ordinal);

        if (at == part.Length && statement.OpenBrackets.Count > 0)
        {
            int open = statement.OpenBrackets[^1];
            return new TomlMistake(open, text[open] == '['
                ? "the array that begins here is not closed: `]` is expected"
                : "the inline table that begins here is not closed: `}` is expected");
        }

        bool isHeader = Says("while expecting `]");
        bool isKey = Says("for a base key") || Says("Unexpected token [");
        if (isKey || isHeader || Says("after a key"))
        {
            if (at is >= 2 && at < part.Length && part.AsSpan(at - 2, 3) is "\"\"\"" or "'''")
            {
                return new TomlMistake(offset - 2, "a multi-line string cannot be a key: use one quotation mark at each end");
            }

            bool breaksKey = at < part.Length && !" \t\r\n.=[]{},#\"'".Contains(part[at]) && TomlExcerpt.BareLength(part.AsSpan(at)) == 0
                && (isKey || TomlExcerpt.IsBare(part.AsSpan(at - 1, 1)));
            string message = breaksKey
                ? $"{found} is not allowed in a bare key: allowed are {KeyForm}; put any other key in quotes"
                : isHeader ? HeaderMistake(part, at, document, found)
                : isKey ? $"a key is expected ({KeyForm}, or a string in quotes), found {found}"
                : $"`=` and a value are expected after the key, found {found}";
            return new TomlMistake(offset, message);
        }

        if (Says("Invalid escape"))
        {
            return new TomlMistake(offset, "white space between a backslash and the end of its line is not allowed: remove it");
        }

        // If the position is inside a word, or at its start where a value is expected, the word is the mistake. Tomlyn may also stop just
        // after a number.
        (int start, int length) = TomlWord.Around(part, at).GetOffsetAndLength(part.Length);
        bool isLine = Says("token `newline`") || Says("\\r");
        bool isArray = Says("a closing `]`") || Says("Missing a `,`");
        bool isInline = Says("parsing inline table");
        bool isBetween = isLine || isArray || isInline;
        if (length > 0 && (!isBetween || (start < at && start + length > at)))
        {
            return new TomlMistake(statement.Start + start, TomlWord.Mistake(part.AsSpan(start, length)), statement.Start + start, length);
        }

        // A missing comma replaces a blank.
        int blank = (isArray || isInline) && at > 0 && at < part.Length && part[at - 1] is ' ' or '\t' && !",]}=".Contains(part[at]) ? 1 : 0;
        ReadOnlySpan<char> before = part.AsSpan(0, at).TrimEnd(" \t\r\n");
        return new TomlMistake(offset, isLine ? $"the end of the line or a comment is expected, found {found}"
            : isArray ? $"`,` or `]` is expected in an array, found {found}"
            : isInline && before is [.., '{' or ','] ? $"a key is expected in an inline table, found {found}"
            : isInline ? $"`,` or `}}` is expected in an inline table, found {found}"
            : found == "`,`" ? "a value is expected before `,`"
            : $"a value is expected, found {found}", offset - blank, blank);
    }

    private static string HeaderMistake(string part, int at, DocumentSyntax document, string found) =>
        document.Tables.GetChild(0) is TableArraySyntax ? "`]]` is expected after the key of an array of tables"
        : part.AsSpan(at).StartsWith("]]") ? "`]` is expected after the key of a table, found `]]`: an array of tables begins with `[[`"
        : $"`]` is expected after the key of a table, found {found}";

    /// <summary>The first mistake and its position, as Tomlyn reports them.</summary>
    public static (int Offset, string Message) First(DocumentSyntax document, int length)
    {
        (int Offset, string Message) first = (length, "");
        foreach (DiagnosticMessage diagnostic in document.Diagnostics)
        {
            // For mistakes at the end of the text Tomlyn may report the default position.
            int offset = diagnostic.Message.Contains("<eof>", StringComparison.Ordinal) ? length : diagnostic.Span.Start.Offset;
            if (first.Message.Length == 0 || offset < first.Offset) first = (Math.Min(offset, length), diagnostic.Message);
        }

        return first;
    }
}
