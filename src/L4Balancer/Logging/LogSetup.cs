using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Logging;

/// <summary>Creates a logger factory from the configuration.</summary>
internal static class LogSetup
{
    public static ILoggerFactory CreateFactory(LogOutput output, Core.Config.LogLevel level, TimeProvider clock) =>
        CreateFactory(output, new LevelSwitch(level), clock);

    public static ILoggerFactory CreateFactory(LogOutput output, LevelSwitch level, TimeProvider clock) =>
        new LoggerFactory([new LineLoggerProvider(output, clock)], level);

    /// <summary>Under systemd standard output is the journal if JOURNAL_STREAM names its device and inode (systemd.exec(5)).</summary>
    /// <param name="format">The format in the file; null if the file sets none.</param>
    public static LogFormat FormatFor(LogFormat? format, bool outputIsJournal) =>
        format ?? (outputIsJournal ? LogFormat.Journal : LogFormat.Text);
}
