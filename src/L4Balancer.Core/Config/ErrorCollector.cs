using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Collects all errors of one file, starting with those of the syntax.</summary>
internal sealed class ErrorCollector
{
    private readonly List<ConfigError> _errors = [];

    public ErrorCollector(ImmutableArray<TomlError> syntax)
    {
        IsWhole = syntax.IsEmpty;
        foreach (TomlError error in syntax)
        {
            _errors.Add(new ConfigError(error.Position, "", error.Message));
        }
    }

    /// <summary>
    /// False if the text has syntax errors. The skipped lines may contain what seems to be missing, so nothing is reported as
    /// missing in that case.
    /// </summary>
    public bool IsWhole { get; }

    public void Add(TomlPosition position, string key, string message) => _errors.Add(new ConfigError(position, key, message));

    /// <summary>Adds an error that may be a consequence of text that could not be parsed; ignored if there are syntax errors.</summary>
    public void AddIfWhole(TomlPosition position, string key, string message)
    {
        if (IsWhole)
        {
            Add(position, key, message);
        }
    }

    /// <summary>The errors in the order of the text; errors at the same position in the order in which they were found.</summary>
    public ImmutableArray<ConfigError> InOrder() =>
        [.. _errors.OrderBy(static e => e.Position.Line).ThenBy(static e => e.Position.Column)];
}
