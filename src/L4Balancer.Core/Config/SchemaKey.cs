namespace L4Balancer.Core.Config;

/// <summary>How the value of a key is written.</summary>
internal enum KeyForm
{
    Value,

    /// <summary><c>[name]</c>, or an inline table.</summary>
    Table,

    /// <summary><c>[[name]]</c>, or an array of inline tables.</summary>
    Tables,

    /// <summary>The contract names the key, but nothing reads it yet.</summary>
    NotYet,
}

/// <summary>One key that the contract names. <paramref name="Table"/> says what lies in it where the form is a table.</summary>
internal sealed record SchemaKey(string Name, KeyForm Form, SchemaTable? Table = null);
