namespace L4Balancer.Core.Toml;

/// <summary>
/// The document under construction: what <c>[table]</c> and <c>[[array]]</c> headers open, and the table that is open now.
/// </summary>
internal sealed class TomlDocumentBuilder(TomlErrorList errors)
{
    private readonly TomlTableBuilder _root = new(new TomlPosition(1, 1), 0, TomlTableOrigin.Header);
    private TomlTableBuilder? _open;
    private TomlTableBuilder? _strayTable;
    private List<TomlKeyPart>? _strayKey;

    /// <summary>Where <c>key = value</c> goes.</summary>
    public TomlTableBuilder Open => _open ?? _root;

    public void OpenTable(TomlPosition header, List<TomlKeyPart> key)
    {
        if (EnterParent(key) is not { } parent)
        {
            OpenStray(header, key);
            return;
        }

        TomlTableBuilder? table = parent.Find(key[^1].Name) switch
        {
            null => AddTable(parent, key, header),
            { Table: { Origin: TomlTableOrigin.Implied } implied } => Define(implied, header),
            { Table: { Origin: TomlTableOrigin.Header } defined } => Refuse(
                key, $"is already defined at {defined.Position}: a table is defined once"),
            { Table: { } dotted } => Refuse(key, $"is already defined by dotted keys at {dotted.Position}: add to it there"),
            { Elements: { } elements } => Refuse(
                key, $"is an array of tables, at {elements[0].Position}: a further element is opened with [[ and ]]"),
            { } value => Refuse(key, $"is already a value, at {value.Key.Position}: a key is set once"),
        };
        Enter(table, header, key);
    }

    public void OpenArrayElement(TomlPosition header, List<TomlKeyPart> key)
    {
        if (EnterParent(key) is not { } parent)
        {
            OpenStray(header, key);
            return;
        }

        TomlTableBuilder? element = parent.Find(key[^1].Name) switch
        {
            null => AddElement(parent, key, header, null),
            { Elements: { } elements } => AddElement(parent, key, header, elements),
            { Table: { } table } => Refuse(key, $"is already a table, at {table.Position}: it cannot become an array of tables"),
            { } value => Refuse(key, $"is already a value, at {value.Key.Position}: only [[ and ]] headers add to an array of tables"),
        };
        Enter(element, header, key);
    }

    /// <summary>
    /// Behind a header that is wrong, its keys and the headers below it go to a table that nobody sees: they are checked, but neither
    /// contradict the rest nor add to it.
    /// </summary>
    /// <param name="key">What could be read of the header's key; empty where nothing could.</param>
    public void OpenStray(TomlPosition header, List<TomlKeyPart> key)
    {
        _strayKey = key;
        _open = new TomlTableBuilder(header, 0, TomlTableOrigin.Header);
        _strayTable = _open;
    }

    public TomlTable Build() => _root.Build();

    private void Enter(TomlTableBuilder? table, TomlPosition header, List<TomlKeyPart> key)
    {
        if (table is null) OpenStray(header, key);
        else _open = table;
    }

    /// <summary>The table that holds the last name of <paramref name="key"/>; null after a mistake.</summary>
    private TomlTableBuilder? EnterParent(List<TomlKeyPart> key)
    {
        TomlTableBuilder table = _root;
        int first = 0;
        if (IsBelowStray(key))
        {
            table = _strayTable!;
            first = _strayKey!.Count;
        }
        else
        {
            _strayKey = null;
        }

        for (int i = first; i < key.Count - 1; i++)
        {
            TomlKeyPart part = key[i];
            switch (table.Find(part.Name))
            {
                case null:
                    if (IsTooDeep(table.Depth + 1, part)) return null;
                    TomlTableBuilder child = new(part.Position, table.Depth + 1, TomlTableOrigin.Implied);
                    table.AddChild(part, child);
                    table = child;
                    break;
                case { Table: { } known }:
                    table = known;
                    break;
                case { Elements: { } elements }:
                    table = elements[^1];
                    break;
                case { } value:
                    errors.AddConflict(
                        part.Position,
                        $"{TomlExcerpt.Of(key.Take(i + 1))} is already a value, at {value.Key.Position}: no table can stand below it");
                    return null;
            }
        }

        return table;
    }

    private bool IsBelowStray(List<TomlKeyPart> key)
    {
        if (_strayKey is null || _strayKey.Count == 0 || key.Count <= _strayKey.Count) return false;
        for (int i = 0; i < _strayKey.Count; i++)
        {
            if (key[i].Name != _strayKey[i].Name) return false;
        }

        return true;
    }

    private TomlTableBuilder? AddTable(TomlTableBuilder parent, List<TomlKeyPart> key, TomlPosition header)
    {
        if (IsTooDeep(parent.Depth + 1, key[^1])) return null;
        TomlTableBuilder table = new(header, parent.Depth + 1, TomlTableOrigin.Header);
        parent.AddChild(key[^1], table);
        return table;
    }

    private TomlTableBuilder? AddElement(
        TomlTableBuilder parent, List<TomlKeyPart> key, TomlPosition header, List<TomlTableBuilder>? elements)
    {
        int depth = parent.Depth + 2; // The array is a level of its own.
        if (IsTooDeep(depth, key[^1])) return null;
        TomlTableBuilder element = new(header, depth, TomlTableOrigin.Header);
        if (elements is null) parent.AddArray(key[^1], element);
        else elements.Add(element);
        return element;
    }

    private static TomlTableBuilder Define(TomlTableBuilder implied, TomlPosition header)
    {
        implied.DefineByHeader(header);
        return implied;
    }

    private TomlTableBuilder? Refuse(List<TomlKeyPart> key, string reason)
    {
        errors.AddConflict(key[^1].Position, $"{TomlExcerpt.Of(key)} {reason}");
        return null;
    }

    private bool IsTooDeep(int depth, TomlKeyPart part)
    {
        if (depth <= TomlReader.MaxDepth) return false;
        errors.AddConflict(part.Position, $"tables are nested too deeply: {TomlReader.MaxDepth} levels are allowed");
        return true;
    }
}
