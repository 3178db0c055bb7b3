using L4Balancer.Configuration;

namespace L4Balancer.Control;

internal enum ReloadOutcome
{
    /// <summary>The file is in force now.</summary>
    Applied,

    /// <summary>The file says what was in force already.</summary>
    Unchanged,

    /// <summary>Nothing was changed.</summary>
    Failed,
}

/// <summary>What became of a reload.</summary>
/// <param name="Generation">Of the configuration that is in force now.</param>
/// <param name="Changes">What is in force now and was not before.</param>
/// <param name="NeedsRestart">What the file says and this process keeps as it was.</param>
/// <param name="Errors">One line each, with place and mend; empty unless it failed.</param>
internal sealed record ReloadResult(
    ReloadOutcome Outcome, long Generation, IReadOnlyList<ConfigChange> Changes, IReadOnlyList<string> NeedsRestart,
    IReadOnlyList<string> Errors);
