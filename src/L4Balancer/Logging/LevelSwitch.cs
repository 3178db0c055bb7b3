using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Logging;

/// <summary>The minimum level that is logged; it can be set at any time, and applies to every logger of the factory. Any thread.</summary>
internal sealed class LevelSwitch : IOptionsMonitor<LoggerFilterOptions>
{
    private volatile LoggerFilterOptions _options;
    private Action<LoggerFilterOptions, string?>? _changed;

    public LevelSwitch(Core.Config.LogLevel level) => _options = OptionsFor(level);

    public LoggerFilterOptions CurrentValue => _options;

    public void Set(Core.Config.LogLevel level)
    {
        _options = OptionsFor(level);
        _changed?.Invoke(_options, null);
    }

    public LoggerFilterOptions Get(string? name) => _options;

    /// <summary>The factory keeps its subscription until the end of the process.</summary>
    public IDisposable? OnChange(Action<LoggerFilterOptions, string?> listener)
    {
        _changed += listener;
        return null;
    }

    private static LoggerFilterOptions OptionsFor(Core.Config.LogLevel level)
    {
        Level least = level switch
        {
            Core.Config.LogLevel.Trace => Level.Trace,
            Core.Config.LogLevel.Debug => Level.Debug,
            Core.Config.LogLevel.Info => Level.Information,
            Core.Config.LogLevel.Warning => Level.Warning,
            _ => Level.Error,
        };

        // At debug Kestrel logs every step of every request. This serves to find bugs in the daemon's use of it, so it is logged only at
        // trace.
        Level framework = least == Level.Trace ? Level.Trace : (Level)Math.Max((int)least, (int)Level.Warning);
        // What keeps a web host from starting is an exception for its caller, who reports it in one line.
        Level hosting = least == Level.Trace ? Level.Trace : Level.Critical;
        return new LoggerFilterOptions
        {
            MinLevel = least,
            Rules =
            {
                new LoggerFilterRule(null, "Microsoft", framework, null),
                new LoggerFilterRule(null, "Microsoft.Extensions.Hosting", hosting, null),
            },
        };
    }
}
