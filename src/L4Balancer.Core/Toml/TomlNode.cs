using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>A value of TOML 1.0 (toml.io/en/v1.0.0) with the place where it begins.</summary>
public abstract record TomlNode(TomlPosition Position);

public sealed record TomlString(TomlPosition Position, string Value) : TomlNode(Position);

public sealed record TomlInteger(TomlPosition Position, long Value) : TomlNode(Position);

public sealed record TomlFloat(TomlPosition Position, double Value) : TomlNode(Position);

public sealed record TomlBoolean(TomlPosition Position, bool Value) : TomlNode(Position);

/// <summary>
/// An RFC 3339 date-time with its offset; digits of the second beyond 100 ns are cut off, as the specification allows. An offset of
/// more than 14 hours, which .NET cannot hold, is turned into UTC: the instant stays.
/// </summary>
public sealed record TomlOffsetDateTime(TomlPosition Position, DateTimeOffset Value) : TomlNode(Position);

public sealed record TomlLocalDateTime(TomlPosition Position, DateTime Value) : TomlNode(Position);

public sealed record TomlLocalDate(TomlPosition Position, DateOnly Value) : TomlNode(Position);

public sealed record TomlLocalTime(TomlPosition Position, TimeOnly Value) : TomlNode(Position);

public sealed record TomlArray(TomlPosition Position, ImmutableArray<TomlNode> Items) : TomlNode(Position);
