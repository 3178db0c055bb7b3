using System.Collections.Immutable;
using Tomlyn.Syntax;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Converts Tomlyn's syntax tree to nodes. Finds mistakes that Tomlyn's parser accepts: keys and tables that contradict each other,
/// integers beyond 64 bits, depth. The tree of a text with mistakes may lack any part; the parts that exist are converted.
/// </summary>
internal sealed class TomlTreeWalk(TomlErrorList errors)
{
    private readonly TomlTables _tables = new(errors);
    private int _linesBefore;
    private HashSet<int> _unreadable = [];

    public TomlTable Build() => _tables.Build();

    public void AddDocument(DocumentSyntax document)
    {
        foreach (KeyValueSyntax pair in document.KeyValues) Assign(pair, _tables.Current);
        foreach (TableSyntaxBase table in document.Tables)
        {
            OpenTable(table);
            foreach (KeyValueSyntax pair in table.Items) Assign(pair, _tables.Current);
        }
    }

    /// <summary>Adds the first statement of a document; Tomlyn finds more than one only after a mistake.</summary>
    /// <param name="document">A statement that was parsed separately.</param>
    /// <param name="linesBefore">Lines of the file before it.</param>
    /// <param name="unreadable">Offsets of keys and values that replace unreadable text.</param>
    public void AddStatement(DocumentSyntax document, int linesBefore, HashSet<int> unreadable)
    {
        _linesBefore = linesBefore;
        _unreadable = unreadable;
        if (document.KeyValues.ChildrenCount > 0) Assign(document.KeyValues.GetChild(0)!, _tables.Current);
        else if (document.Tables.ChildrenCount > 0) OpenTable(document.Tables.GetChild(0)!);
    }

    private void OpenTable(TableSyntaxBase table)
    {
        // A missing or extra bracket has been reported; the header is still used as most likely meant, because otherwise all that follows
        // would be wrong too.
        bool isElement = table is TableArraySyntax || table.CloseBracket is InvalidSyntaxToken { InvalidKind: TokenKind.CloseBracketDouble };
        bool isWhole = TryReadKey(table.Name, out List<TomlKeyPart> key);
        _tables.Open(PositionOf(table), key, isElement, isWhole);
    }

    private void Assign(KeyValueSyntax pair, TomlOpenTable table)
    {
        if (!TryReadKey(pair.Key, out List<TomlKeyPart> key) || pair.EqualToken is null) return;
        _tables.Assign(table, key, Read(pair.Value, table.Depth + key.Count));
    }

    /// <returns>False if a part of the key could not be read; <paramref name="parts"/> then holds those before it.</returns>
    private bool TryReadKey(KeySyntax? key, out List<TomlKeyPart> parts)
    {
        parts = [];
        if (key is null || !TryAdd(key.Key, parts)) return false;
        foreach (DottedKeyItemSyntax item in key.DotKeys)
        {
            if (!TryAdd(item.Key, parts)) return false;
        }

        return true;
    }

    private bool TryAdd(BareKeyOrStringValueSyntax? part, List<TomlKeyPart> parts)
    {
        string? name = part switch
        {
            BareKeySyntax bare => bare.Key?.Text,
            StringValueSyntax quoted => ReadString(quoted, PositionOf(quoted))?.Value,
            _ => null,
        };
        if (name is null || _unreadable.Contains(part!.Span.Start.Offset)) return false;
        if (parts.Count > TomlReader.MaxDepth)
        {
            errors.AddSyntax(PositionOf(part), $"tables are nested too deeply: {TomlReader.MaxDepth} levels are allowed");
            return false;
        }

        parts.Add(new TomlKeyPart(name, PositionOf(part)));
        return true;
    }

    /// <summary>Null if the value could not be read; the mistake has been reported.</summary>
    private TomlNode? Read(ValueSyntax? value, int depth)
    {
        if (value is null || _unreadable.Contains(value.Span.Start.Offset)) return null;
        TomlPosition position = PositionOf(value);
        switch (value)
        {
            case StringValueSyntax text:
                return ReadString(text, position);
            case BooleanValueSyntax boolean:
                return new TomlBoolean(position, boolean.Value);
            case FloatValueSyntax number:
                return new TomlFloat(position, number.Value);
            case IntegerValueSyntax number:
                return ReadInteger(number, position);
            case DateTimeValueSyntax date:
                return new TomlDateTime(position, date.Token?.Text ?? "");
            case ArraySyntax or InlineTableSyntax when depth > TomlReader.MaxDepth:
                errors.AddConflict(position, $"values are nested too deeply: {TomlReader.MaxDepth} levels are allowed");
                return null;
            case ArraySyntax array:
                return ReadArray(array, position, depth);
            case InlineTableSyntax { CloseBrace: not null } inline:
                TomlOpenTable table = new(position, depth, TomlTableOrigin.Header);
                foreach (InlineTableItemSyntax item in inline.Items)
                {
                    if (item.KeyValue is { } pair) Assign(pair, table);
                }

                return table.Build();
            default:
                return null;
        }
    }

    private TomlArray ReadArray(ArraySyntax array, TomlPosition position, int depth)
    {
        ImmutableArray<TomlNode>.Builder items = ImmutableArray.CreateBuilder<TomlNode>(array.Items.ChildrenCount);
        foreach (ArrayItemSyntax item in array.Items)
        {
            if (Read(item.Value, depth + 1) is { } node) items.Add(node);
        }

        return new TomlArray(position, items.DrainToImmutable());
    }

    /// <summary>Tomlyn accepts a backslash before any white space in a string of one line, and a lone CR after that in others.</summary>
    private TomlString? ReadString(StringValueSyntax text, TomlPosition position)
    {
        if (text.Token is { TokenKind: TokenKind.String or TokenKind.StringMulti, Text: { } written } && written.Contains('\\'))
        {
            bool isMultiLine = text.Token.TokenKind == TokenKind.StringMulti;
            List<TomlMistake> mistakes = [];
            new TomlStringScanner(written).Scan(0, isMultiLine, mistakes);
            foreach (TomlMistake mistake in mistakes) errors.AddSyntax(position.Behind(written.AsSpan(0, mistake.Offset)), mistake.Message);
            if (mistakes.Count > 0) return null;
        }

        return new TomlString(position, text.Value ?? "");
    }

    /// <summary>Tomlyn reads integers as 64 bits without a sign, and treats the upper half of them as negative.</summary>
    private TomlInteger? ReadInteger(IntegerValueSyntax number, TomlPosition position)
    {
        string text = number.Token?.Text ?? "";
        if (number.Value >= 0 || text.StartsWith('-')) return new TomlInteger(position, number.Value);
        errors.AddSyntax(position, TomlWord.OutOfRange(text));
        return null;
    }

    private TomlPosition PositionOf(SyntaxNode node) => new(node.Span.Start.Line + _linesBefore + 1, node.Span.Start.Column + 1);
}
