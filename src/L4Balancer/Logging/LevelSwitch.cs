using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Logging;

/// <summary>The least level that is logged; it can be set at any time, and every logger of the factory follows. Any thread.</summary>
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

    /// <summary>The factory listens to the end of the process.</summary>
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

        // Kestrel tells every step of every request at debug: that is for finding faults of ours in it, so only at trace.
        Level framework = least == Level.Trace ? Level.Trace : (Level)Math.Max((int)least, (int)Level.Warning);
        return new LoggerFilterOptions { MinLevel = least, Rules = { new LoggerFilterRule(null, "Microsoft", framework, null) } };
    }
}
