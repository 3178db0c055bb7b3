using Microsoft.Extensions.Logging;

namespace L4Balancer.Logging;

/// <summary>
/// Connects Microsoft.Extensions.Logging to a <see cref="LogOutput"/>. The factory filters levels; warnings that peers can cause without
/// end are limited here. Any thread.
/// </summary>
[ProviderAlias("Lines")]
internal sealed class LineLoggerProvider(LogOutput output, TimeProvider clock) : ILoggerProvider
{
    private readonly RepeatLimit _limit = new(clock);

    public ILogger CreateLogger(string categoryName) => new LineLogger(output, clock, _limit, categoryName);

    /// <summary>Does nothing: the creator of the output disposes of it.</summary>
    public void Dispose()
    {
    }

    private sealed class LineLogger(LogOutput output, TimeProvider clock, RepeatLimit limit, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            int heldBack = 0;
            if (logLevel >= LogLevel.Warning && !limit.MayPass(category, eventId.Id, out heldBack))
            {
                return;
            }

            try
            {
                string message = formatter(state, exception);
                string line = heldBack == 0 ? message : $"{message} ({heldBack} similar lines suppressed)";
                DateTimeOffset now = clock.GetUtcNow();
                output.Recent.Add(now, logLevel, line);
                output.Write(LogLine.Format(output.Format, now, logLevel, category, eventId, line, exception));
            }
            catch (Exception)
            {
                // Memory is short, say. Whoever logs, perhaps in the handler of another exception or on a thread of its own, must not end by it.
                output.NoteLost();
            }
        }
    }
}
