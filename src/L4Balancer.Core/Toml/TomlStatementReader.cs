namespace L4Balancer.Core.Toml;

/// <summary>
/// The statements of a text, one a line. After a mistake it goes on with the next line, so that one reading finds the mistakes of all.
/// </summary>
internal sealed class TomlStatementReader
{
    private readonly TomlCursor _cursor;
    private readonly TomlErrorList _errors;
    private readonly TomlBlankReader _blanks;
    private readonly TomlKeyReader _keys;
    private readonly TomlValueReader _values;
    private readonly TomlDocumentBuilder _document;

    public TomlStatementReader(string text, TomlErrorList errors)
    {
        _cursor = new TomlCursor(text);
        _errors = errors;
        _blanks = new TomlBlankReader(_cursor, errors);
        TomlStringReader strings = new(_cursor, errors);
        _keys = new TomlKeyReader(_cursor, errors, strings);
        _values = new TomlValueReader(_cursor, errors, strings, _keys, _blanks);
        _document = new TomlDocumentBuilder(errors);
    }

    public TomlTable Read()
    {
        while (!_cursor.AtEnd && !_errors.Full)
        {
            _cursor.SkipBlank();
            if (_cursor.TryTakeNewline()) continue;
            if (_cursor.AtEnd || _cursor.Current == '#' || TryReadStatement()) _blanks.ExpectLineEnd();
            else _cursor.SkipLine();
        }

        return _document.Build();
    }

    private bool TryReadStatement() => _cursor.Current == '[' ? TryReadHeader() : _values.TryReadAssignment(_document.Open);

    /// <summary>
    /// A header with a wrong bracket is opened as what it is most likely meant to be: else all that follows would be wrong too.
    /// </summary>
    private bool TryReadHeader()
    {
        TomlPosition header = _cursor.Position;
        _cursor.Advance();
        bool isArray = _cursor.TryTake('[');
        List<TomlKeyPart> key = [];
        if (!_keys.TryRead(key))
        {
            _document.OpenStray(header, key);
            return false;
        }

        TomlPosition closing = _cursor.Position;
        bool closed = _cursor.TryTake(']');
        bool closedTwice = closed && _cursor.TryTake(']');
        if (isArray || closedTwice) _document.OpenArrayElement(header, key);
        else _document.OpenTable(header, key);
        if (closed && closedTwice == isArray) return true;

        _errors.AddSyntax(closing, ClosingMistake(isArray, closedTwice));
        return false;
    }

    private string ClosingMistake(bool isArray, bool closedTwice)
    {
        if (closedTwice) return "`]` is expected behind the key of a table, found `]]`: an array of tables begins with `[[`";
        return isArray
            ? "`]]` is expected behind the key of an array of tables"
            : $"`]` is expected behind the key of a table, found {TomlExcerpt.Of(_cursor)}";
    }
}
