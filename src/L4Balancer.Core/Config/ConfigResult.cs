using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>Either a configuration, or all errors of the file in the order of the text.</summary>
/// <param name="Config">Null if there are errors.</param>
/// <param name="Errors">Empty if there is a configuration.</param>
/// <param name="Files">
/// Files that the configuration refers to and the caller must read; see <see cref="HealthSettings.CaCertificates"/>.
/// </param>
public sealed record ConfigResult(BalancerConfig? Config, ImmutableArray<ConfigError> Errors, ImmutableArray<NamedFile> Files)
{
    /// <summary>What is allowed and probably not meant, in the order of the text.</summary>
    public ImmutableArray<ConfigError> Warnings { get; init; } = [];

    /// <summary>The patterns of <c>include</c>, where they could be read: also those of a text with errors.</summary>
    public ImmutableArray<string> Includes { get; init; } = [];
}
