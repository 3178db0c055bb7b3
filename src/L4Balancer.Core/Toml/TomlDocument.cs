using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>What was read: where <see cref="Errors"/> is not empty, <see cref="Root"/> holds what could be made out nevertheless.</summary>
public sealed record TomlDocument(TomlTable Root, ImmutableArray<TomlError> Errors);
