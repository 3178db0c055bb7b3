using Microsoft.Extensions.Logging;

namespace L4Balancer.Logging;

/// <summary>
/// Microsoft.Extensions.Logging into a <see cref="LogOutput"/>. Levels are filtered by the factory; what warns without end, because
/// of what peers do, is cut here. Any thread.
/// </summary>
[ProviderAlias("Lines")]
internal sealed class LineLoggerProvider(LogOutput output, TimeProvider clock) : ILoggerProvider
{
    private readonly RepeatLimit _limit = new(clock);

    public ILogger CreateLogger(string categoryName) => new LineLogger(output, clock, _limit, categoryName);

    /// <summary>The output belongs to who made it.</summary>
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

            string message = formatter(state, exception);
            string line = heldBack == 0 ? message : $"{message} ({heldBack} more like this were not written)";
            DateTimeOffset now = clock.GetUtcNow();
            output.Recent.Add(now, logLevel, line);
            output.Write(LogLine.Format(output.Format, now, logLevel, category, eventId, line, exception));
        }
    }
}
