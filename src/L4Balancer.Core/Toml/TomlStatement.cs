namespace L4Balancer.Core.Toml;

/// <summary>
/// One statement of a text with mistakes, cut out by <see cref="TomlStatementScanner"/>: a header, or a key and its value, over as many lines
/// as its value takes.
/// </summary>
internal sealed class TomlStatement(int start, int line)
{
    public int Start { get; } = start;

    /// <summary>Behind its last character; the line break is not part of it.</summary>
    public int End { get; set; }

    /// <summary>Lines of the text before it.</summary>
    public int LinesBefore { get; } = line;

    /// <summary>Mistakes inside strings and comments, in the order of the text.</summary>
    public List<TomlMistake> Mistakes { get; } = [];

    /// <summary>Brackets that are not closed, the innermost last.</summary>
    public List<int> OpenBrackets { get; } = [];

    /// <summary>The bracket that goes beyond the depth allowed, or -1. Nothing behind it has been looked at.</summary>
    public int TooDeep { get; set; } = -1;
}

/// <summary>A mistake, and the part of the text that is to be left out to read what is around it; none where its length is 0.</summary>
internal readonly record struct TomlMistake(int Offset, string Message, int LeftOutStart = 0, int LeftOutLength = 0);
