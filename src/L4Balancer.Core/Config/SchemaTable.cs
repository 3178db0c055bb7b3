using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace L4Balancer.Core.Config;

/// <summary>The keys of one table, in the order of the documentation.</summary>
internal sealed class SchemaTable
{
    private readonly FrozenDictionary<string, SchemaKey> _byName;

    /// <param name="header">The header as written in a file: <c>[balancer]</c>, <c>[[pools.backends]]</c>.</param>
    /// <param name="keys">Every documented key of this table, whether it is supported yet or not.</param>
    public SchemaTable(string header, params IEnumerable<SchemaKey> keys)
    {
        Header = header;
        Keys = [.. keys];
        _byName = Keys.ToFrozenDictionary(static k => k.Name);
    }

    public string Header { get; }

    public ImmutableArray<SchemaKey> Keys { get; }

    public bool TryGet(string name, [NotNullWhen(true)] out SchemaKey? key) => _byName.TryGetValue(name, out key);

    /// <summary>Whether the key is reserved but not supported yet.</summary>
    public bool IsReserved(string name) => _byName.TryGetValue(name, out SchemaKey? key) && key.Form == KeyForm.NotYet;

    /// <summary>Whether the key is known and supported.</summary>
    public bool Works(string name) => _byName.TryGetValue(name, out SchemaKey? key) && key.Form != KeyForm.NotYet;

    /// <summary>Throws for a key that the schema does not list as supported, which is a bug in the binding code.</summary>
    public SchemaKey Working(string name, KeyForm form) =>
        _byName.TryGetValue(name, out SchemaKey? key) && key.Form == form
            ? key
            : throw new InvalidOperationException($"The schema of {Header} has no {form} '{name}'.");
}
