namespace L4Balancer.Core.Toml;

/// <summary>
/// Bounds the memory that parsing takes, before the text is parsed. The parser keeps an object for each token, and several for one that
/// it cannot read: a text of a few megabytes that is all brackets, commas or line ends takes gigabytes.
/// </summary>
/// <remarks>
/// Counts every byte that can be a token by itself, wherever it stands: to tell what is inside a string takes a parser, and a mistake in
/// it would leave no bound. What is counted too much, as the dots of an address in a string, is little beside the maximum. Only lines
/// that begin with <c>#</c> count as one, up to a quote or a carriage return: they are a comment, or part of a string that a quote ends.
/// </remarks>
internal static class TomlWeight
{
    /// <summary>
    /// A backend with a name and an address weighs 14, one with every key about 40; a parsed text of this weight takes less than a gigabyte.
    /// </summary>
    public const int Most = 1_000_000;

    private enum Kind : byte
    {
        /// <summary>A letter, a digit, an underscore, or a byte that continues a character: many of them are one token.</summary>
        Word,
        Quote,
        Blank,
        Token,
        LineEnd,
    }

    private static readonly Kind[] Kinds = [.. Enumerable.Range(0, 256).Select(Of)];

    /// <summary>Where the text exceeds <see cref="Most"/>; null if it does not.</summary>
    public static TomlPosition? FindExcess(ReadOnlySpan<byte> utf8)
    {
        int weight = 0;
        int line = 1;
        int lineStart = 0;
        bool isComment = false;
        bool isLineEmpty = true;
        Kind last = Kind.LineEnd;
        bool isApart = false;
        for (int at = 0; at < utf8.Length; at++)
        {
            Kind kind = Kinds[utf8[at]];
            switch (kind)
            {
                case Kind.Blank:
                    isApart = true;
                    continue;
                case Kind.LineEnd:
                    weight++;
                    line++;
                    lineStart = at + 1;
                    isLineEmpty = true;
                    isComment = false;
                    break;
                case Kind.Token:
                    isComment = (isComment || (isLineEmpty && utf8[at] == '#')) && utf8[at] != '\r';
                    isLineEmpty = false;
                    if (!isComment || utf8[at] is < (byte)' ' or 0x7F) weight++;
                    break;
                default:
                    isLineEmpty = false;
                    isComment &= kind != Kind.Quote;

                    // Words and strings without anything between them are mistakes, and a mistake takes more than what is right.
                    if (!isComment && last is Kind.Word or Kind.Quote && (isApart || (last == Kind.Quote && kind == Kind.Quote))) weight += 2;
                    break;
            }

            if (weight > Most) return new TomlPosition(line, at - lineStart + 1);
            last = kind;
            isApart = false;
        }

        return null;
    }

    private static Kind Of(int value) => value switch
    {
        '\n' => Kind.LineEnd,
        ' ' or '\t' => Kind.Blank,
        '"' or '\'' => Kind.Quote,
        '_' or (>= 0x80 and < 0xC0) => Kind.Word,
        _ => char.IsAsciiLetterOrDigit((char)value) ? Kind.Word : Kind.Token,
    };
}
