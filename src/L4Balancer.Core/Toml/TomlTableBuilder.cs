using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>A table under construction, with the rules about who may add to what.</summary>
internal sealed class TomlTableBuilder(TomlPosition position, int depth, TomlTableOrigin origin)
{
    /// <summary>Tables and arrays within one another; what walks a document may recurse that deep.</summary>
    public const int MaxDepth = 128;

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
            if (Depth >= MaxDepth)
            {
                errors.AddConflict(part.Position, $"tables are nested too deeply: {MaxDepth} levels are allowed");
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
