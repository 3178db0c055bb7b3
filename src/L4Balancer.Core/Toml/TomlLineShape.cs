namespace L4Balancer.Core.Toml;

/// <summary>Guesses what a line is meant to be. Returns true only for a line that cannot be part of a valid array.</summary>
internal static class TomlLineShape
{
    /// <summary><c>key =</c> or <c>[table]</c>.</summary>
    public static bool IsStatement(ReadOnlySpan<char> line) => IsAssignment(line) || IsHeader(line);

    /// <summary><c>key =</c>: no value is followed by an equals sign.</summary>
    public static bool IsAssignment(ReadOnlySpan<char> line)
    {
        do
        {
            line = line.TrimStart(" \t");
            int length = KeyLength(line);
            if (length == 0) return false;
            line = line[length..].TrimStart(" \t");
        }
        while (TryTake(ref line, '.'));

        return line.StartsWith('=');
    }

    /// <summary>The first text after blanks, blank lines and comments; empty at the end.</summary>
    public static ReadOnlySpan<char> SkipBlankLines(ReadOnlySpan<char> text)
    {
        text = text.TrimStart(" \t\r\n");
        while (text.StartsWith('#'))
        {
            int end = text.IndexOf('\n');
            text = end < 0 ? [] : text[end..].TrimStart(" \t\r\n");
        }

        return text;
    }

    /// <summary>A bare word in brackets is a header, unless the word is a value.</summary>
    private static bool IsHeader(ReadOnlySpan<char> line)
    {
        if (!TryTake(ref line, '[')) return false;
        bool doubled = TryTake(ref line, '[');
        line = line.TrimStart(" \t");
        int word = KeyLength(line);
        if (word == 0 || !char.IsAsciiLetter(line[0]) || line[..word] is "true" or "false" or "inf" or "nan") return false;

        int end = line.IndexOfAny(",]\n");
        if (end < 0 || line[end] != ']') return false;
        line = line[(end + 1)..];
        if (doubled && !TryTake(ref line, ']')) return false;
        line = line.TrimStart(" \t\r");
        return line.IsEmpty || line[0] is '\n' or '#';
    }

    private static int KeyLength(ReadOnlySpan<char> line)
    {
        if (line.IsEmpty || line[0] is not ('"' or '\'')) return TomlExcerpt.BareLength(line);
        char quote = line[0];
        for (int length = 1; length < line.Length && line[length] != '\n'; length++)
        {
            if (line[length] == quote) return length + 1;
            if (line[length] == '\\' && quote == '"' && !line[(length + 1)..].StartsWith('\n')) length++;
        }

        return 0;
    }

    private static bool TryTake(ref ReadOnlySpan<char> line, char expected)
    {
        if (!line.StartsWith(expected)) return false;
        line = line[1..];
        return true;
    }
}
