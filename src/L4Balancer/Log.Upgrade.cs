using Microsoft.Extensions.Logging;

namespace L4Balancer;

/// <summary>Upgrades: what both processes log.</summary>
internal static partial class Log
{
    [LoggerMessage(1303, LogLevel.Information, "{Who}: requested an upgrade; the new process is started from {File}")]
    public static partial void UpgradeBegins(this ILogger logger, string who, string file);

    [LoggerMessage(1304, LogLevel.Warning, "{Who}: requested an upgrade, which was refused: {Why}")]
    public static partial void UpgradeRefused(this ILogger logger, string who, string why);

    [LoggerMessage(1305, LogLevel.Information,
        "upgrade: process {Process} serves now. {Moved} connections were moved, the longest stood still for {Longest:0.0} ms; "
        + "{Left} end in this process, which then ends")]
    public static partial void UpgradeDone(this ILogger logger, int process, int moved, int left, double longest);

    [LoggerMessage(1306, LogLevel.Error, "upgrade failed, this process goes on: {Why}")]
    public static partial void UpgradeFailed(this ILogger logger, string why);

    [LoggerMessage(1307, LogLevel.Error, "upgrade failed by a fault of this process, which goes on")]
    public static partial void UpgradeBroke(this ILogger logger, Exception exception);

    [LoggerMessage(1308, LogLevel.Information, "replacing process {Process} ({Build}): requested by {Who}")]
    public static partial void Replacing(this ILogger logger, int process, string build, string who);

    [LoggerMessage(1309, LogLevel.Information,
        "replaced process {Process}: {Moved} connections were taken over, {Left} end in that process")]
    public static partial void HasReplaced(this ILogger logger, int process, int moved, int left);

    [LoggerMessage(1310, LogLevel.Warning,
        "process {Process}, which this one was replacing, has ended in the middle of it: this one goes on alone ({Why})")]
    public static partial void GoesOnAlone(this ILogger logger, int process, string why);

    [LoggerMessage(1311, LogLevel.Warning, "connection {Id} stays with process {Process}: {Why}")]
    public static partial void ConnectionNotTaken(this ILogger logger, ulong id, int process, string why);

    [LoggerMessage(1312, LogLevel.Error, "connection {Id} was taken over but could not be served, and is reset: {Why}")]
    public static partial void ConnectionNotServed(this ILogger logger, ulong id, string why);

    [LoggerMessage(1313, LogLevel.Error,
        "process {Process}, which this one was replacing, has ended before this one was the main process of the service: this process ends "
        + "too, so that the service manager starts another, which takes the connections of both from their keepers")]
    public static partial void EndsForManager(this ILogger logger, int process);

    [LoggerMessage(1314, LogLevel.Information, "this process has been replaced and ends")]
    public static partial void Replaced(this ILogger logger);

    [LoggerMessage(1316, LogLevel.Error, "taking over from process {Process} failed by a fault of this process")]
    public static partial void TakingOverBroke(this ILogger logger, int process, Exception exception);

    [LoggerMessage(2100, LogLevel.Information,
        "{Who}: requested a reload, which is held back until the upgrade under way has ended; the process that serves then does it")]
    public static partial void ReloadHeld(this ILogger logger, string who);

    [LoggerMessage(2101, LogLevel.Warning,
        "this process is stopping before it has replaced process {Process}, which goes on with all connections")]
    public static partial void LeavesToOldProcess(this ILogger logger, int process);

    [LoggerMessage(1335, LogLevel.Warning,
        "{Variable}={Value}: the first upgrade of this process will meet this fault; the variable is for tests, remove it from the "
        + "environment")]
    public static partial void FaultsAsked(this ILogger logger, string variable, string value);
}
