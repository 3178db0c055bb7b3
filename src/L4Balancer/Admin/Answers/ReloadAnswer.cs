using System.Text.Json.Nodes;

namespace L4Balancer.Admin.Answers;

/// <summary>POST /v1/reload.</summary>
/// <param name="Outcome"><c>applied</c> or <c>unchanged</c>.</param>
/// <param name="Generation">Generation of the active configuration.</param>
/// <param name="NeedsRestart">Differences that require a restart; the process keeps the previous values.</param>
internal sealed record ReloadAnswer(
    string Outcome, long Generation, IReadOnlyList<ChangeAnswer> Changes, IReadOnlyList<string> NeedsRestart);

/// <summary>One difference between the previous and the current configuration.</summary>
/// <param name="Before">The previous value; null if there was none.</param>
/// <param name="After">The new value; null if it was removed.</param>
internal sealed record ChangeAnswer(string Path, JsonNode? Before, JsonNode? After);
