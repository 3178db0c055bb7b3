using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>One mistake: <paramref name="Key"/> is the dotted key it is about, <c>pools[0].health.rise</c>, or empty for bad syntax.</summary>
public sealed record ConfigError(TomlPosition Position, string Key, string Message);
