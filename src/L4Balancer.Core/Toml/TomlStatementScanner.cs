namespace L4Balancer.Core.Toml;

/// <summary>
/// Splits a text with mistakes into statements. An array, an inline table or a string that is not closed ends before a line that can only
/// be the next statement, so that it does not include what follows.
/// </summary>
internal sealed class TomlStatementScanner(string text)
{
    private readonly TomlStringScanner _strings = new(text);
    private int _at;
    private int _lines;
    private TomlStatement _statement = new(0, 0);
    private bool _isHeader;
    private bool _isValue;
    private char _last;
    private int _decidedUpTo;

    /// <summary>The next statement, or null at the end. Blank lines and comments before it are part of it.</summary>
    public TomlStatement? Next()
    {
        if (_at >= text.Length) return null;
        _statement = new TomlStatement(_at, _lines);
        _isHeader = _isValue = false;
        _last = '\0';
        while (_at < text.Length && _statement.TooDeep < 0)
        {
            if (text[_at] == '\n')
            {
                if (_last != '\0' && !ContinuesOnNextLine()) break;
                _at++;
            }
            else
            {
                Pass();
            }
        }

        _statement.End = _at > _statement.Start && _at < text.Length && text[_at - 1] == '\r' ? _at - 1 : _at;
        if (_at < text.Length) _at++; // The line break.
        _lines += text.AsSpan(_statement.Start, _at - _statement.Start).Count('\n');
        return _statement;
    }

    private void Pass()
    {
        char c = text[_at];
        switch (c)
        {
            case '"' or '\'':
                _at = _strings.Scan(_at, mayBeMultiLine: _isValue, _statement.Mistakes);
                break;
            case '#':
                PassComment();
                return;
            case '[' or '{':
                Open();
                break;
            case ']' or '}':
                Close(c == ']' ? '[' : '{');
                _at++;
                break;
            default:
                _isValue |= c == '=';
                _at++;
                if (c is ' ' or '\t' or '\r') return;
                break;
        }

        _last = c;
    }

    private void Open()
    {
        _isHeader |= _last == '\0';
        List<int> open = _statement.OpenBrackets;
        if (!_isHeader && open.Count == TomlReader.MaxDepth)
        {
            _statement.TooDeep = _at;
            _at = text.Length;
            return;
        }

        if (!_isHeader) open.Add(_at);
        _at++;
    }

    /// <summary>A bracket of the wrong kind closes all open ones up to its own kind, or else the innermost.</summary>
    private void Close(char opening)
    {
        List<int> open = _statement.OpenBrackets;
        int own = open.FindLastIndex(offset => text[offset] == opening);
        if (own < 0) own = open.Count - 1;
        if (own >= 0) open.RemoveRange(own, open.Count - own);
    }

    private void PassComment()
    {
        for (; _at < text.Length && text[_at] != '\n'; _at++)
        {
            if (!TomlStringScanner.IsForbidden(text, _at) || _statement.Mistakes.Count >= TomlReader.MaxErrors) continue;
            string found = TomlExcerpt.At(text, _at);
            _statement.Mistakes.Add(
                new TomlMistake(_at, $"the control character {found} is not allowed in a comment: only tab is allowed", _at, 1));
        }
    }

    /// <summary>At a line break: ends an inline table that cannot continue after it; an array around it may continue.</summary>
    private bool ContinuesOnNextLine()
    {
        List<int> open = _statement.OpenBrackets;
        if (_at < _decidedUpTo || open.Count == 0) return open.Count > 0;
        ReadOnlySpan<char> next = TomlLineShape.SkipBlankLines(text.AsSpan(_at));
        for (int level = open.Count - 1; level >= 0; level--)
        {
            bool isArray = text[open[level]] == '[';
            bool continues = isArray
                ? !TomlLineShape.IsStatement(next)
                : next.StartsWith('}') || next.StartsWith(',') || (_last is ',' or '{' && TomlLineShape.IsAssignment(next));
            if (continues)
            {
                open.RemoveRange(level + 1, open.Count - level - 1);
                _decidedUpTo = text.Length - next.Length;
                return true;
            }

            if (isArray) return false;
        }

        return false;
    }
}
