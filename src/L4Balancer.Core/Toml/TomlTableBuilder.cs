using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>A table under construction, with the rules about who may add to what.</summary>
internal sealed class TomlTableBuilder(TomlPosition position, int depth, TomlTableOrigin origin)
{
    private readonly Dictionary<string, TomlSlot> _byName = [];
    private readonly List<TomlSlot> _inOrder = [];

    public TomlPosition Position { get; private set; } = position;

    public int Depth { get; } = depth;

    public TomlTableOrigin Origin { get; private set; } = origin;

    public TomlSlot? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>
    /// Sets <c>key = value</c>, where a dotted key passes through tables. A value of null, not readable, only takes the key.
    /// </summary>
    public void Assign(IReadOnlyList<TomlKeyPart> key, TomlNode? value, TomlErrorList errors)
    {
        TomlTableBuilder table = this;
        for (int i = 0; i < key.Count - 1; i++)
        {
            TomlTableBuilder? next = table.EnterByDottedKey(key, i, errors);
            if (next is null) return;
            table = next;
        }

        TomlKeyPart last = key[^1];
        if (table.Find(last.Name) is { } taken)
        {
            errors.AddConflict(last.Position, $"{TomlExcerpt.Of(key)} is already {taken.What}, at {taken.Key.Position}: a key is set once");
            return;
        }

        table.Add(new TomlSlot(last) { Value = value });
    }

    public void AddChild(TomlKeyPart key, TomlTableBuilder child) => Add(new TomlSlot(key) { Table = child });

    public void AddArray(TomlKeyPart key, TomlTableBuilder firstElement) => Add(new TomlSlot(key) { Elements = [firstElement] });

    /// <summary>A header now defines what was only implied before.</summary>
    public void DefineByHeader(TomlPosition header)
    {
        Origin = TomlTableOrigin.Header;
        Position = header;
    }

    public TomlTable Build()
    {
        ImmutableArray<TomlEntry>.Builder entries = ImmutableArray.CreateBuilder<TomlEntry>(_inOrder.Count);
        foreach (TomlSlot slot in _inOrder)
        {
            if (slot.Build() is { } value) entries.Add(new TomlEntry(slot.Key.Name, slot.Key.Position, value));
        }

        return new TomlTable(Position, entries.DrainToImmutable());
    }

    private TomlTableBuilder? EnterByDottedKey(IReadOnlyList<TomlKeyPart> key, int index, TomlErrorList errors)
    {
        TomlKeyPart part = key[index];
        TomlSlot? slot = Find(part.Name);
        if (slot is null)
        {
            if (Depth >= TomlReader.MaxDepth)
            {
                errors.AddConflict(part.Position, $"tables are nested too deeply: {TomlReader.MaxDepth} levels are allowed");
                return null;
            }

            TomlTableBuilder child = new(part.Position, Depth + 1, TomlTableOrigin.DottedKey);
            AddChild(part, child);
            return child;
        }

        switch (slot.Table)
        {
            case null:
                errors.AddConflict(
                    part.Position, $"{Passed()} is already {slot.What}, at {slot.Key.Position}: a dotted key can only add to a table");
                return null;
            case { Origin: TomlTableOrigin.Header } defined:
                errors.AddConflict(
                    part.Position,
                    $"{Passed()} is already defined by its header at {defined.Position}: a dotted key cannot add to it from here");
                return null;
            case { } open:
                open.Origin = TomlTableOrigin.DottedKey;
                return open;
        }

        string Passed() => TomlExcerpt.Of(key.Take(index + 1));
    }

    private void Add(TomlSlot slot)
    {
        _byName.Add(slot.Key.Name, slot);
        _inOrder.Add(slot);
    }
}

/// <summary>One name of a dotted key, unquoted, and where it stands.</summary>
internal readonly record struct TomlKeyPart(string Name, TomlPosition Position);

/// <summary>How a table came to be, which decides what may still be added to it.</summary>
internal enum TomlTableOrigin
{
    /// <summary>Only named on the way to another table, as <c>a</c> in <c>[a.b]</c>: it may still be defined, once.</summary>
    Implied,

    /// <summary>Defined by <c>[a]</c> or <c>[[a]]</c>: dotted keys from outside cannot add to it.</summary>
    Header,

    /// <summary>Defined by dotted keys: more of these may add to it, a header cannot define it again.</summary>
    DottedKey,
}

/// <summary>
/// What a key of a table under construction holds: a finished value, an open table, or an open array of tables. None of them where the
/// value could not be read: the key is taken all the same.
/// </summary>
internal sealed class TomlSlot(TomlKeyPart key)
{
    public TomlKeyPart Key { get; } = key;

    public TomlNode? Value { get; init; }

    public TomlTableBuilder? Table { get; init; }

    /// <summary>The elements so far, at least one.</summary>
    public List<TomlTableBuilder>? Elements { get; init; }

    /// <summary>For "… is already …".</summary>
    public string What => Elements is not null ? "an array of tables" : Table is not null ? "a table" : "a value";

    public TomlNode? Build()
    {
        if (Elements is not null) return new TomlArray(Elements[0].Position, [.. Elements.Select(element => element.Build())]);
        return Table is not null ? Table.Build() : Value;
    }
}
