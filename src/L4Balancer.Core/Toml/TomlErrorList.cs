using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>
/// The mistakes of one text. One mistake of syntax often makes nonsense of the rest of its line, so only the first of a line counts;
/// what contradicts an earlier definition always counts.
/// </summary>
internal sealed class TomlErrorList
{
    private readonly List<TomlError> _errors = [];
    private readonly HashSet<int> _brokenLines = [];
    private bool _stopped;

    /// <summary>From now on nothing is recorded any more; reading further is a waste.</summary>
    public bool Full => _stopped || _errors.Count >= TomlReader.MaxErrors;

    public bool IsEmpty => _errors.Count == 0;

    public void AddSyntax(TomlPosition position, string message)
    {
        if (!Full && _brokenLines.Add(position.Line)) _errors.Add(new TomlError(position, message));
    }

    public void AddConflict(TomlPosition position, string message)
    {
        if (!Full) _errors.Add(new TomlError(position, message));
    }

    /// <summary>A mistake behind which nothing sensible can be read.</summary>
    public void AddFatal(TomlPosition position, string message)
    {
        AddConflict(position, message);
        _stopped = true;
    }

    /// <summary>In the order of the text: a construct that is never closed is noticed late, but reported where it was opened.</summary>
    public ImmutableArray<TomlError> InOrder() =>
        [.. _errors.OrderBy(error => error.Position.Line).ThenBy(error => error.Position.Column)];
}
