namespace L4Balancer.Core.Toml;

/// <summary>What is wrong with the text, where, and what is allowed there.</summary>
public sealed record TomlError(TomlPosition Position, string Message);
