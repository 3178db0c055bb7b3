using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Collects all errors of one file, starting with those of the syntax.</summary>
internal sealed class ErrorCollector
{
    /// <summary>As many as of the syntax: a file with more is another kind of file, and its errors are not to fill the memory.</summary>
    internal const int MostErrors = TomlReader.MaxErrors;

    private readonly List<ConfigError> _errors = [];
    private long _more;

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

    /// <summary>No more errors are kept; the message of a further one need not be made.</summary>
    public bool IsFull => _errors.Count >= MostErrors;

    public void Add(TomlPosition position, string key, string message)
    {
        if (IsFull)
        {
            _more++;
        }
        else
        {
            _errors.Add(new ConfigError(position, key, message));
        }
    }

    /// <summary>Adds an error that may be a consequence of text that could not be parsed; ignored if there are syntax errors.</summary>
    public void AddIfWhole(TomlPosition position, string key, string message)
    {
        if (IsWhole)
        {
            Add(position, key, message);
        }
    }

    /// <summary>
    /// The errors in the order of the text; errors at the same position in the order in which they were found. Of many the first that were found,
    /// and the number of the others.
    /// </summary>
    public ImmutableArray<ConfigError> InOrder()
    {
        ConfigError[] first = [.. _errors.OrderBy(static e => e.Position.Line).ThenBy(static e => e.Position.Column)];
        return _more == 0 ? [.. first] : [.. first, new ConfigError(first[^1].Position, "", $"and {_more} more")];
    }
}
