namespace L4Balancer.Core.Toml;

/// <summary>A place in the text that moves forward and knows its line and column.</summary>
internal sealed class TomlCursor(string text)
{
    private int _index;
    private int _line = 1;
    private int _column = 1;

    public TomlPosition Position => new(_line, _column);

    public bool AtEnd => _index >= text.Length;

    /// <summary>NUL at the end; a NUL in the text is a control character, so nobody takes the one for the other's good value.</summary>
    public char Current => Peek(0);

    /// <summary>On LF or CR LF. A CR alone is a control character.</summary>
    public bool AtNewline => Current == '\n' || (Current == '\r' && Peek(1) == '\n');

    public bool AtLineEnd => AtEnd || AtNewline;

    /// <summary>From here to the end of the text, to look ahead.</summary>
    public ReadOnlySpan<char> Rest => text.AsSpan(Math.Min(_index, text.Length));

    public char Peek(int ahead) => _index + ahead < text.Length ? text[_index + ahead] : '\0';

    public void Advance()
    {
        char passed = text[_index++];
        if (passed == '\n')
        {
            _line++;
            _column = 1;
        }
        else if (!char.IsLowSurrogate(passed))
        {
            _column++;
        }
    }

    public void Advance(int characters)
    {
        for (int i = 0; i < characters; i++) Advance();
    }

    public bool TryTake(char expected)
    {
        if (AtEnd || Current != expected) return false;
        Advance();
        return true;
    }

    public bool TryTakeNewline()
    {
        if (!AtNewline) return false;
        Advance(Current == '\r' ? 2 : 1);
        return true;
    }

    public void SkipBlank()
    {
        while (Current is ' ' or '\t') Advance();
    }

    /// <summary>To the end of the line, not past it.</summary>
    public void SkipLine()
    {
        while (!AtLineEnd) Advance();
    }

    public void SkipToEnd()
    {
        while (!AtEnd) Advance();
    }
}
