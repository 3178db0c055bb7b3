using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Gathers every mistake of one file. It starts with those of the syntax.</summary>
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
    /// False where the text has syntax errors. The lines that were skipped may then hold whatever seems to be missing, so nothing
    /// is to be called missing.
    /// </summary>
    public bool IsWhole { get; }

    public void Add(TomlPosition position, string key, string message) => _errors.Add(new ConfigError(position, key, message));

    /// <summary>For what may only seem wrong because a part of the text could not be read.</summary>
    public void AddIfWhole(TomlPosition position, string key, string message)
    {
        if (IsWhole)
        {
            Add(position, key, message);
        }
    }

    /// <summary>In the order of the text; those of one place in the order in which they were found.</summary>
    public ImmutableArray<ConfigError> InOrder() =>
        [.. _errors.OrderBy(static e => e.Position.Line).ThenBy(static e => e.Position.Column)];
}
