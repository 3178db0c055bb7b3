using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Values, and <c>key = value</c>, which inline tables need too. A reader answers null where it could not make out the value; the
/// mistake is reported then, and the cursor has not passed what could still be read.
/// </summary>
internal sealed class TomlValueReader(
    TomlCursor cursor, TomlErrorList errors, TomlStringReader strings, TomlKeyReader keys, TomlBlankReader blanks)
{
    private readonly TomlWordReader _words = new(cursor, errors);

    /// <summary>Reads <c>key = value</c> into <paramref name="table"/>; false where the rest of it is not worth reading.</summary>
    public bool TryReadAssignment(TomlTableBuilder table)
    {
        List<TomlKeyPart> key = [];
        if (!keys.TryRead(key)) return false;
        if (!cursor.TryTake('='))
        {
            errors.AddSyntax(cursor.Position, $"`=` and a value are expected behind the key, found {TomlExcerpt.Of(cursor)}");
            return false;
        }

        cursor.SkipBlank();
        TomlNode? value = Read(table.Depth + key.Count);
        table.Assign(key, value, errors);
        return value is not null;
    }

    private TomlNode? Read(int depth)
    {
        TomlPosition position = cursor.Position;
        switch (cursor.Current)
        {
            case '"' or '\'':
                return strings.ReadValue() is { } text ? new TomlString(position, text) : null;
            case '[' or '{' when depth > TomlTableBuilder.MaxDepth:
                errors.AddFatal(
                    position,
                    $"values are nested too deeply: {TomlTableBuilder.MaxDepth} levels are allowed; nothing behind this was read");
                cursor.SkipToEnd();
                return null;
            case '[':
                return ReadArray(depth);
            case '{':
                return ReadInlineTable(depth);
            default:
                return _words.Read();
        }
    }

    /// <summary>What could be read of the array, without the elements that could not.</summary>
    private TomlArray ReadArray(int depth)
    {
        TomlPosition open = cursor.Position;
        ImmutableArray<TomlNode>.Builder items = ImmutableArray.CreateBuilder<TomlNode>();
        TomlListState state = TomlListState.Opened;
        cursor.Advance();
        while (true)
        {
            if (!SkipToArrayContent())
            {
                errors.AddSyntax(open, "the array that begins here is not closed: `]` is expected");
                break;
            }

            if (cursor.TryTake(']')) break;
            if (cursor.Current == '}')
            {
                errors.AddSyntax(cursor.Position, "`,` or `]` is expected in an array, found `}`");
                break;
            }

            if (cursor.Current == ',')
            {
                TakeComma(ref state, "a value");
                continue;
            }

            if (state == TomlListState.AfterItem)
            {
                errors.AddSyntax(cursor.Position, $"`,` or `]` is expected in an array, found {TomlExcerpt.Of(cursor)}");
            }

            TomlNode? item = Read(depth + 1);
            if (item is not null) items.Add(item);
            else SkipToDelimiter();
            state = item is not null ? TomlListState.AfterItem : TomlListState.AfterMistake;
        }

        return new TomlArray(open, items.DrainToImmutable());
    }

    /// <summary>
    /// Past blanks, comments and line breaks; false where the array ends without its bracket, before a line break or at the end.
    /// </summary>
    private bool SkipToArrayContent()
    {
        while (true)
        {
            cursor.SkipBlank();
            if (cursor.Current == '#') blanks.SkipComment();
            if (cursor.AtEnd) return false;
            if (!cursor.AtNewline) return true;
            if (TomlLineShape.IsStatement(cursor.Rest[(cursor.Current == '\r' ? 2 : 1)..])) return false;
            cursor.TryTakeNewline();
        }
    }

    /// <summary>What could be read of the table; null where it is not closed.</summary>
    private TomlTable? ReadInlineTable(int depth)
    {
        TomlTableBuilder table = new(cursor.Position, depth, TomlTableOrigin.Header);
        TomlListState state = TomlListState.Opened;
        bool continued = false;
        cursor.Advance();
        while (true)
        {
            cursor.SkipBlank();
            if (cursor.AtLineEnd || cursor.Current == '#')
            {
                if (!continued)
                {
                    errors.AddSyntax(
                        cursor.Position, $"`}}` is expected on the line where the inline table begins, found {TomlExcerpt.Of(cursor)}");
                }

                if (!TryContinueOnNextLine(state)) return null;
                continued = true;
            }
            else if (cursor.Current == '}')
            {
                if (state == TomlListState.AfterComma)
                {
                    errors.AddSyntax(cursor.Position, "a key is expected behind `,`: an inline table ends without a comma");
                }

                cursor.Advance();
                return table.Build();
            }
            else if (cursor.Current == ']')
            {
                errors.AddSyntax(cursor.Position, "`,` or `}` is expected in an inline table, found `]`");
                return null;
            }
            else if (cursor.Current == ',')
            {
                TakeComma(ref state, "a key");
            }
            else
            {
                if (state == TomlListState.AfterItem)
                {
                    errors.AddSyntax(cursor.Position, $"`,` or `}}` is expected in an inline table, found {TomlExcerpt.Of(cursor)}");
                }

                bool good = TryReadAssignment(table);
                if (!good) SkipToDelimiter();
                state = good ? TomlListState.AfterItem : TomlListState.AfterMistake;
            }
        }
    }

    private void TakeComma(ref TomlListState state, string item)
    {
        if (state is TomlListState.Opened or TomlListState.AfterComma)
        {
            errors.AddSyntax(cursor.Position, $"{item} is expected before `,`");
        }

        cursor.Advance();
        state = TomlListState.AfterComma;
    }

    /// <summary>TOML 1.0 has no line breaks in inline tables, but people write them: one mistake then, not one for each line.</summary>
    private bool TryContinueOnNextLine(TomlListState state)
    {
        ReadOnlySpan<char> next = TomlLineShape.SkipBlankLines(cursor.Rest);
        bool continues = next.StartsWith('}') || next.StartsWith(',')
            || (state != TomlListState.AfterItem && TomlLineShape.IsAssignment(next));
        if (continues) cursor.Advance(cursor.Rest.Length - next.Length);
        return continues;
    }

    /// <summary>Behind what could not be read: to where the array or inline table around it goes on.</summary>
    private void SkipToDelimiter()
    {
        while (!cursor.AtLineEnd && cursor.Current is not (',' or ']' or '}' or '#')) cursor.Advance();
    }
}
