using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Logging;

/// <summary>From the configuration's words to a logger factory.</summary>
internal static class LogSetup
{
    public static ILoggerFactory CreateFactory(LogOutput output, Core.Config.LogLevel level, TimeProvider clock)
    {
        Level least = LevelOf(level);
        var options = new LoggerFilterOptions { MinLevel = least };

        // Kestrel tells every step of every request at debug: that is for finding faults of ours in it, so only at trace.
        Level framework = least == Level.Trace ? Level.Trace : (Level)Math.Max((int)least, (int)Level.Warning);
        options.Rules.Add(new LoggerFilterRule(null, "Microsoft", framework, null));
        return new LoggerFactory([new LineLoggerProvider(output, clock)], options);
    }

    /// <summary>Under systemd standard output is the journal's when JOURNAL_STREAM names its device and inode (systemd.exec(5)).</summary>
    /// <param name="format">What the file says; null where it says nothing.</param>
    public static LogFormat FormatFor(LogFormat? format, bool outputIsJournal) =>
        format ?? (outputIsJournal ? LogFormat.Journal : LogFormat.Text);

    private static Level LevelOf(Core.Config.LogLevel level) => level switch
    {
        Core.Config.LogLevel.Trace => Level.Trace,
        Core.Config.LogLevel.Debug => Level.Debug,
        Core.Config.LogLevel.Info => Level.Information,
        Core.Config.LogLevel.Warning => Level.Warning,
        _ => Level.Error,
    };
}
