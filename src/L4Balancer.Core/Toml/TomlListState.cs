namespace L4Balancer.Core.Toml;

/// <summary>What was read last in an array or inline table, which decides what may come next.</summary>
internal enum TomlListState
{
    Opened,
    AfterItem,
    AfterComma,

    /// <summary>Where an item could not be read, nobody knows whether its comma is missing too: anything may follow.</summary>
    AfterMistake,
}
