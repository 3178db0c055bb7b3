namespace L4Balancer.Core.Toml;

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
