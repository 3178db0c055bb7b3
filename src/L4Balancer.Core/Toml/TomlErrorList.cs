using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>
/// The mistakes of one text. A syntax mistake often makes the rest of its line meaningless, so only the first of a line counts; a
/// contradiction to an earlier definition always counts.
/// </summary>
internal sealed class TomlErrorList
{
    private readonly List<TomlError> _errors = [];
    private readonly HashSet<int> _brokenLines = [];
    private bool _stopped;

    /// <summary>No more mistakes are recorded; further reading is useless.</summary>
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

    /// <summary>A mistake after which nothing can be read reliably.</summary>
    public void AddFatal(TomlPosition position, string message)
    {
        AddConflict(position, message);
        _stopped = true;
    }

    /// <summary>In the order of the text: a construct that is never closed is detected late, but reported where it was opened.</summary>
    public ImmutableArray<TomlError> InOrder() =>
        [.. _errors.OrderBy(error => error.Position.Line).ThenBy(error => error.Position.Column)];
}
