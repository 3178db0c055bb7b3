using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Collects all errors of one file, starting with those of the syntax.</summary>
internal sealed class ErrorCollector
{
    /// <summary>As many as of the syntax: a file with more is another kind of file, and its errors are not to fill the memory.</summary>
    internal const int MostErrors = TomlReader.MaxErrors;

    private readonly List<ConfigError> _errors = [];
    private readonly List<ConfigError> _warnings = [];
    private readonly HashSet<string> _settled = [];
    private readonly ExpandedTexts _expanded;
    private long _more;

    /// <param name="expanded">The texts that came from the environment, which messages do not show.</param>
    /// <param name="isWhole">False if some of the text is missing, beyond what the syntax errors skip.</param>
    public ErrorCollector(ImmutableArray<TomlError> syntax, ExpandedTexts? expanded = null, bool isWhole = true)
    {
        _expanded = expanded ?? ExpandedTexts.None;
        IsWhole = isWhole && syntax.IsEmpty;
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

    /// <summary>Adds an error after which the value of the key means nothing: further errors of it are not added.</summary>
    public void AddFinal(ConfigError error)
    {
        Add(error.Position, error.Key, error.Message);
        _settled.Add(error.Key);
    }

    public void Add(TomlPosition position, string key, string message)
    {
        if (_settled.Contains(key))
        {
            return;
        }

        if (IsFull)
        {
            _more++;
        }
        else
        {
            _errors.Add(new ConfigError(position, key, _expanded.Mask(key, message)));
        }
    }

    /// <summary>Adds what is allowed, and is probably not meant.</summary>
    public void Warn(TomlPosition position, string key, string message)
    {
        if (_warnings.Count < MostErrors)
        {
            _warnings.Add(new ConfigError(position, key, _expanded.Mask(key, message)));
        }
    }

    /// <summary>The warnings in the order of the text.</summary>
    public ImmutableArray<ConfigError> Warnings() => [.. InTextOrder(_warnings)];

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
        ConfigError[] first = [.. InTextOrder(_errors)];
        return _more == 0 ? [.. first] : [.. first, new ConfigError(first[^1].Position, "", $"and {_more} more")];
    }

    private static IEnumerable<ConfigError> InTextOrder(List<ConfigError> errors) =>
        errors.OrderBy(static e => e.Position.Source?.Order ?? 0).ThenBy(static e => e.Position.Line).ThenBy(static e => e.Position.Column);
}
