using Microsoft.Extensions.Logging;

namespace L4Balancer.Logging;

/// <summary>One line of the log, as the admin API shows it.</summary>
/// <param name="Number">Counts from 1 since the start.</param>
internal sealed record RecentLine(long Number, DateTimeOffset At, LogLevel Level, string Text);
