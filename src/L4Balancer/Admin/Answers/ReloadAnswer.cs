using System.Text.Json.Nodes;

namespace L4Balancer.Admin.Answers;

/// <summary>POST /v1/reload.</summary>
/// <param name="Outcome"><c>applied</c> or <c>unchanged</c>.</param>
/// <param name="Generation">Of the configuration in force.</param>
/// <param name="NeedsRestart">What the file says and this process keeps as it was.</param>
internal sealed record ReloadAnswer(
    string Outcome, long Generation, IReadOnlyList<ChangeAnswer> Changes, IReadOnlyList<string> NeedsRestart);

/// <summary>One difference between the configuration before and now.</summary>
/// <param name="Before">Null where it was not there.</param>
/// <param name="After">Null where it is there no more.</param>
internal sealed record ChangeAnswer(string Path, JsonNode? Before, JsonNode? After);
