using Microsoft.Extensions.Logging;

namespace L4Balancer.Logging;

/// <summary>Microsoft.Extensions.Logging into a <see cref="LogOutput"/>. Levels are filtered by the factory. Any thread.</summary>
[ProviderAlias("Lines")]
internal sealed class LineLoggerProvider(LogOutput output, TimeProvider clock) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new LineLogger(output, clock, categoryName);

    /// <summary>The output belongs to who made it.</summary>
    public void Dispose()
    {
    }

    private sealed class LineLogger(LogOutput output, TimeProvider clock, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            output.Write(LogLine.Format(
                output.Format, clock.GetUtcNow(), logLevel, category, eventId, formatter(state, exception), exception));
    }
}
