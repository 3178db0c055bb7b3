using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>Either a configuration, or every mistake of the file at once in the order of the text.</summary>
/// <param name="Config">Null where there are errors.</param>
/// <param name="Errors">Empty where there is a configuration.</param>
/// <param name="Files">What else is to be read: see <see cref="HealthSettings.CaCertificates"/>.</param>
public sealed record ConfigResult(BalancerConfig? Config, ImmutableArray<ConfigError> Errors, ImmutableArray<NamedFile> Files);
