namespace L4Balancer.Admin.Answers;

/// <summary>POST /v1/upgrade: what the new process is started from.</summary>
/// <param name="Binary">The absolute path of an executable; null: the file that the daemon was started from.</param>
internal sealed record UpgradeRequest(string? Binary);

/// <summary>An upgrade: the answer to POST /v1/upgrade, and part of GET /v1/status.</summary>
/// <param name="Id">The same from both processes.</param>
/// <param name="State"><c>checking</c>, <c>starting</c>, <c>switching</c>, <c>moving</c>, and at the end <c>succeeded</c> or <c>failed</c>.</param>
/// <param name="By">Who asked for it.</param>
/// <param name="EndedSeconds">Since it succeeded or failed; null while it is under way.</param>
/// <param name="OldPid">The process that is replaced.</param>
/// <param name="NewPid">The process that takes over; null until it is started.</param>
/// <param name="Moved">Connections that the new process serves.</param>
/// <param name="Left">Connections that are still in the old process; after the end those that end there.</param>
/// <param name="Lost">Connections that could not be served after they had been moved, and were reset.</param>
/// <param name="LongestMilliseconds">How long the longest connection stood still.</param>
/// <param name="Fault">Why it failed, or why connections stayed; null: nothing to say.</param>
internal sealed record UpgradeAnswer(
    string Id, string State, string By, DateTime StartedAt, double? EndedSeconds, int OldPid, int? NewPid, int Moved, int Left, int Lost,
    double LongestMilliseconds, string? Fault)
{
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
}
