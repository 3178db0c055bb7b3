namespace L4Balancer.Core.Toml;

/// <summary>One name of a dotted key, unquoted, and where it stands.</summary>
internal readonly record struct TomlKeyPart(string Name, TomlPosition Position);
