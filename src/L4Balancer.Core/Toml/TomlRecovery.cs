using Tomlyn.Syntax;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Reads a text with mistakes, statement by statement. If a word or a string is the mistake, it is reported and replaced by a value that
/// counts as unreadable, and the statement is parsed once more: so one reading finds the mistakes in all items of an array.
/// </summary>
internal sealed class TomlRecovery(string text, TomlTreeWalk walk, TomlErrorList errors)
{
    /// <summary>Each attempt costs time in proportion to the statement; the bound keeps the total in proportion to the text.</summary>
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
                    $"values are nested too deeply: {TomlReader.MaxDepth} levels are allowed; nothing after this was read");
                return;
            }

            // Inside strings and comments the scanner's messages are more precise, and mistakes there confuse the parser.
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
    /// Replaces the unreadable part by a zero, which is valid as a value and as a key; blanks after it preserve every offset. Line breaks
    /// stay, so that line numbers do too. A blank is replaced by the comma that is missing there.
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

        // A string that is not closed has most likely included the comma after it.
        ReadOnlySpan<char> next = TomlLineShape.SkipBlankLines(repaired.AsSpan(start + mistake.LeftOutLength));
        bool isLast = next.IsEmpty || next[0] is ',' or ']' or '}' or '=' or '.';
        if (leftOut.Length > 1 && !isLast && text.AsSpan(mistake.LeftOutStart, mistake.LeftOutLength).Contains(',')) leftOut[1] = ',';
    }

    /// <summary>The mistake if Tomlyn throws: the known cause are dates that it converts to the machine's time zone.</summary>
    private TomlMistake Refused(TomlStatement statement)
    {
        ReadOnlySpan<char> written = TomlLineShape.SkipBlankLines(text.AsSpan(statement.Start, statement.End - statement.Start));
        return new TomlMistake(statement.End - written.Length, "this statement cannot be read: it holds a date or time that does not exist");
    }

    private TomlPosition PositionOf(TomlStatement statement, int offset) =>
        new TomlPosition(statement.LinesBefore + 1, 1).Behind(text.AsSpan(statement.Start, offset - statement.Start));
}

/// <summary>
/// One statement of a text with mistakes, cut out by <see cref="TomlStatementScanner"/>: a header, or a key and its value, over as many lines
/// as its value takes.
/// </summary>
internal sealed class TomlStatement(int start, int line)
{
    public int Start { get; } = start;

    /// <summary>The offset after its last character; the line break is not included.</summary>
    public int End { get; set; }

    /// <summary>The number of lines of the text before it.</summary>
    public int LinesBefore { get; } = line;

    /// <summary>Mistakes inside strings and comments, in the order of the text.</summary>
    public List<TomlMistake> Mistakes { get; } = [];

    /// <summary>Brackets that are not closed, the innermost last.</summary>
    public List<int> OpenBrackets { get; } = [];

    /// <summary>The offset of the bracket that exceeds the permitted depth, or -1. Text after it was not scanned.</summary>
    public int TooDeep { get; set; } = -1;
}

/// <summary>A mistake, and the part of the text that is left out so that the text around it can be read; none if its length is 0.</summary>
internal readonly record struct TomlMistake(int Offset, string Message, int LeftOutStart = 0, int LeftOutLength = 0);
