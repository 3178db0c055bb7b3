using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>The tables of a document under construction, with the rules of what may be added to which table.</summary>
internal sealed class TomlTables(TomlErrorList errors)
{
    private readonly TomlOpenTable _root = new(new TomlPosition(1, 1), 0, TomlTableOrigin.Header);
    private TomlOpenTable? _current;
    private TomlOpenTable? _strayTable;
    private List<TomlKeyPart> _strayKey = [];

    /// <summary>The table that <c>key = value</c> is added to.</summary>
    public TomlOpenTable Current => _current ?? _root;

    public TomlTable Build() => _root.Build();

    /// <summary>
    /// Opens <c>[key]</c>, or the next element of <c>[[key]]</c>. After an invalid header, its keys and the headers below it go to a table
    /// that is discarded: they are checked, but neither contradict the rest nor add to it.
    /// </summary>
    /// <param name="header">The position of the header.</param>
    /// <param name="key">The part of its key that could be read.</param>
    /// <param name="isElement">Whether it is an array of tables.</param>
    /// <param name="isWhole">Whether all of the key could be read.</param>
    public void Open(TomlPosition header, List<TomlKeyPart> key, bool isElement, bool isWhole)
    {
        _current = isWhole && EnterParent(key) is { } parent ? Define(parent, key, header, isElement) : null;
        if (_current is not null) return;
        _strayKey = key;
        _strayTable = _current = new TomlOpenTable(header, 0, TomlTableOrigin.Header);
    }

    /// <summary>
    /// Sets <c>key = value</c>, where a dotted key passes through tables. A null value, which could not be read, only reserves the key.
    /// </summary>
    public void Assign(TomlOpenTable table, List<TomlKeyPart> key, TomlNode? value)
    {
        for (int i = 0; i < key.Count - 1; i++)
        {
            if (Enter(table, key, i, isDotted: true) is not { } next) return;
            table = next;
        }

        TomlKeyPart last = key[^1];
        if (table.Slots.TryAdd(last.Name, new TomlSlot(last) { Value = value })) return;
        TomlSlot taken = table.Slots[last.Name];
        errors.AddConflict(last.Position, $"{TomlExcerpt.Of(key)} is already {taken.What}, at {taken.Key.Position}: a key is set once");
    }

    /// <summary>The table that holds the last name of <paramref name="key"/>; null after a mistake.</summary>
    private TomlOpenTable? EnterParent(List<TomlKeyPart> key)
    {
        bool isBelowStray = _strayKey.Count > 0 && key.Count > _strayKey.Count
            && key.Take(_strayKey.Count).Select(part => part.Name).SequenceEqual(_strayKey.Select(part => part.Name));
        TomlOpenTable? table = isBelowStray ? _strayTable : _root;
        int first = isBelowStray ? _strayKey.Count : 0;
        if (!isBelowStray) _strayKey = [];
        for (int i = first; i < key.Count - 1 && table is not null; i++) table = Enter(table, key, i, isDotted: false);
        return table;
    }

    /// <summary>
    /// The table of that name, on the path of a header or of a dotted key; created if it does not exist; null after a mistake.
    /// </summary>
    private TomlOpenTable? Enter(TomlOpenTable table, List<TomlKeyPart> key, int index, bool isDotted)
    {
        TomlKeyPart part = key[index];
        if (!table.Slots.TryGetValue(part.Name, out TomlSlot? slot))
        {
            if (IsTooDeep(table.Depth + 1, part)) return null;
            TomlOpenTable child = new(part.Position, table.Depth + 1, isDotted ? TomlTableOrigin.DottedKey : TomlTableOrigin.Implied);
            table.Slots.Add(part.Name, new TomlSlot(part) { Table = child });
            return child;
        }

        if (slot.Table is { } known && (!isDotted || known.Origin != TomlTableOrigin.Header))
        {
            if (isDotted) known.Origin = TomlTableOrigin.DottedKey;
            return known;
        }

        if (slot.Elements is { } elements && !isDotted) return elements[^1];
        string reason = slot.Table is { } defined
                ? $"is already defined by its header at {defined.Position}: a dotted key cannot add to it from here"
            : isDotted ? $"is already {slot.What}, at {slot.Key.Position}: a dotted key can only add to a table"
            : $"is already a value, at {slot.Key.Position}: it cannot contain a table";
        errors.AddConflict(part.Position, $"{TomlExcerpt.Of(key.Take(index + 1))} {reason}");
        return null;
    }

    private TomlOpenTable? Define(TomlOpenTable parent, List<TomlKeyPart> key, TomlPosition header, bool isElement)
    {
        TomlKeyPart last = key[^1];
        parent.Slots.TryGetValue(last.Name, out TomlSlot? slot);
        if (slot is null || (isElement && slot.Elements is not null))
        {
            int depth = parent.Depth + (isElement ? 2 : 1); // The array is a level of its own.
            if (IsTooDeep(depth, last)) return null;
            TomlOpenTable table = new(header, depth, TomlTableOrigin.Header);
            if (slot is not null) slot.Elements!.Add(table);
            else parent.Slots.Add(last.Name, isElement ? new TomlSlot(last) { Elements = [table] } : new TomlSlot(last) { Table = table });
            return table;
        }

        if (!isElement && slot.Table is { Origin: TomlTableOrigin.Implied } implied)
        {
            implied.Origin = TomlTableOrigin.Header;
            implied.Position = header;
            return implied;
        }

        string reason = slot switch
        {
            { Table: { } table } when isElement => $"is already a table, at {table.Position}: it cannot become an array of tables",
            { Table: { Origin: TomlTableOrigin.Header } table } => $"is already defined at {table.Position}: a table is defined once",
            { Table: { } table } => $"is already defined by dotted keys at {table.Position}: add to it there",
            { Elements: { } elements } =>
                $"is an array of tables, at {elements[0].Position}: a further element is opened with [[ and ]]",
            _ when isElement => $"is already a value, at {slot.Key.Position}: only [[ and ]] headers add to an array of tables",
            _ => $"is already a value, at {slot.Key.Position}: a key is set once",
        };
        errors.AddConflict(last.Position, $"{TomlExcerpt.Of(key)} {reason}");
        return null;
    }

    private bool IsTooDeep(int depth, TomlKeyPart part)
    {
        if (depth <= TomlReader.MaxDepth) return false;
        errors.AddConflict(part.Position, $"tables are nested too deeply: {TomlReader.MaxDepth} levels are allowed");
        return true;
    }
}

/// <summary>One name of a dotted key, unquoted, with its position.</summary>
internal readonly record struct TomlKeyPart(string Name, TomlPosition Position);

/// <summary>How a table was defined, which decides what may still be added to it.</summary>
internal enum TomlTableOrigin
{
    /// <summary>Only named in the path of another table, as <c>a</c> in <c>[a.b]</c>: it may still be defined, once.</summary>
    Implied,

    /// <summary>Defined by <c>[a]</c> or <c>[[a]]</c>, or inline: dotted keys from outside cannot add to it.</summary>
    Header,

    /// <summary>Defined by dotted keys: more of these may add to it, a header cannot define it again.</summary>
    DottedKey,
}

/// <summary>A table under construction, in the order of the text.</summary>
internal sealed class TomlOpenTable(TomlPosition position, int depth, TomlTableOrigin origin)
{
    public TomlPosition Position { get; set; } = position;

    public int Depth { get; } = depth;

    public TomlTableOrigin Origin { get; set; } = origin;

    public OrderedDictionary<string, TomlSlot> Slots { get; } = [];

    public TomlTable Build()
    {
        ImmutableArray<TomlEntry>.Builder entries = ImmutableArray.CreateBuilder<TomlEntry>(Slots.Count);
        foreach (TomlSlot slot in Slots.Values)
        {
            if (slot.Build() is { } value) entries.Add(new TomlEntry(slot.Key.Name, slot.Key.Position, value));
        }

        return new TomlTable(Position, entries.DrainToImmutable());
    }
}

/// <summary>
/// The content of a key in a table under construction: a finished value, an open table, or an open array of tables. It has none of them if
/// the value could not be read; the key is reserved all the same.
/// </summary>
internal sealed class TomlSlot(TomlKeyPart key)
{
    public TomlKeyPart Key { get; } = key;

    public TomlNode? Value { get; init; }

    public TomlOpenTable? Table { get; init; }

    /// <summary>The elements so far, at least one.</summary>
    public List<TomlOpenTable>? Elements { get; init; }

    /// <summary>The description for "… is already …".</summary>
    public string What => Elements is not null ? "an array of tables" : Table is not null ? "a table" : "a value";

    public TomlNode? Build()
    {
        if (Elements is not null) return new TomlArray(Elements[0].Position, [.. Elements.Select(element => element.Build())]);
        return Table is not null ? Table.Build() : Value;
    }
}
