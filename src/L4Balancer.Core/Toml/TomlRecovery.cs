using Tomlyn.Syntax;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Reads a text with mistakes, statement by statement. Where a word or a string is the mistake, it is reported, replaced by a value
/// that counts as unreadable, and the statement is parsed once more: so one reading finds the mistakes in all items of an array.
/// </summary>
internal sealed class TomlRecovery(string text, TomlTreeWalk walk, TomlErrorList errors)
{
    /// <summary>Each takes as long as the statement is: a bound keeps the time in proportion to the text.</summary>
    private const int MaxAttempts = 16;
    private const int LongStatement = 1 << 16;

    public void Read()
    {
        TomlStatementScanner scanner = new(text);
        while (!errors.Full && scanner.Next() is { } statement) Read(statement);
    }

    private void Read(TomlStatement statement)
    {
        string part = text[statement.Start..statement.End];
        HashSet<int> unreadable = [];
        bool insideIsKnown = statement.Mistakes.Count == 0;
        for (int attempt = 0; ; attempt++)
        {
            bool parsed = TomlReader.TryParse(part, out DocumentSyntax? document);
            if (parsed && !document!.HasErrors)
            {
                walk.AddStatement(document, statement.LinesBefore, unreadable);
                return;
            }

            if (attempt == 0 && statement.TooDeep >= 0)
            {
                errors.AddFatal(
                    PositionOf(statement, statement.TooDeep),
                    $"values are nested too deeply: {TomlReader.MaxDepth} levels are allowed; nothing behind this was read");
                return;
            }

            // The scanner knows more about the inside of strings and comments, and what is in them confuses the parser.
            bool isInside = !insideIsKnown
                && !(parsed && TomlDiagnosis.First(document!, part.Length).Offset < statement.Mistakes[0].LeftOutStart - statement.Start);
            insideIsKnown |= isInside;
            IEnumerable<TomlMistake> mistakes = isInside ? statement.Mistakes
                : [parsed ? TomlDiagnosis.Of(text, part, statement, document!) : Refused(statement)];
            bool again = attempt < (part.Length < LongStatement ? MaxAttempts : 1) && !errors.Full;
            char[] repaired = part.ToCharArray();
            foreach (TomlMistake mistake in mistakes)
            {
                errors.AddSyntax(PositionOf(statement, mistake.Offset), mistake.Message);
                again &= mistake.LeftOutLength > 0;
                if (mistake.LeftOutLength > 0) LeaveOut(repaired, mistake, statement, unreadable);
            }

            if (!again)
            {
                if (parsed) walk.AddStatement(document!, statement.LinesBefore, unreadable);
                return;
            }

            part = new string(repaired);
        }
    }

    /// <summary>
    /// A zero is a value and a key; blanks behind it keep every offset. Line breaks stay, so that lines do too. A blank becomes the comma that
    /// is missing there.
    /// </summary>
    private void LeaveOut(char[] repaired, TomlMistake mistake, TomlStatement statement, HashSet<int> unreadable)
    {
        int start = mistake.LeftOutStart - statement.Start;
        Span<char> leftOut = repaired.AsSpan(start, mistake.LeftOutLength);
        if (text[mistake.LeftOutStart] == '#' || TomlStringScanner.IsForbidden(text, mistake.LeftOutStart))
        {
            leftOut.Fill(' ');
            return;
        }

        if (leftOut[0] is ' ' or '\t')
        {
            leftOut[0] = ',';
            return;
        }

        foreach (ref char c in leftOut)
        {
            if (c is not ('\n' or '\r')) c = ' ';
        }

        leftOut[0] = '0';
        unreadable.Add(start);

        // A string that is not closed has most likely taken the comma behind it.
        ReadOnlySpan<char> next = TomlLineShape.SkipBlankLines(repaired.AsSpan(start + mistake.LeftOutLength));
        bool isLast = next.IsEmpty || next[0] is ',' or ']' or '}' or '=' or '.';
        if (leftOut.Length > 1 && !isLast && text.AsSpan(mistake.LeftOutStart, mistake.LeftOutLength).Contains(',')) leftOut[1] = ',';
    }

    private static TomlMistake Refused(TomlStatement statement) => new(statement.Start, "this statement cannot be read");

    private TomlPosition PositionOf(TomlStatement statement, int offset) =>
        new TomlPosition(statement.LinesBefore + 1, 1).Behind(text.AsSpan(statement.Start, offset - statement.Start));
}
