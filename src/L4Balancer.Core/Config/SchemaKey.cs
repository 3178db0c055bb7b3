namespace L4Balancer.Core.Config;

/// <summary>The form in which the value of a key is written.</summary>
internal enum KeyForm
{
    Value,

    /// <summary><c>[name]</c>, or an inline table.</summary>
    Table,

    /// <summary><c>[[name]]</c>, or an array of inline tables.</summary>
    Tables,

    /// <summary>The key is reserved but not supported yet.</summary>
    NotYet,
}

/// <summary>One documented key. <paramref name="Table"/> is the schema of its content if the form is a table.</summary>
internal sealed record SchemaKey(string Name, KeyForm Form, SchemaTable? Table = null);
