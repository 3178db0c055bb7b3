using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>A log that counts its lines.</summary>
internal sealed class LineCounter : ILoggerFactory, ILogger
{
    private int _lines;

    public int Lines => Volatile.Read(ref _lines);

    /// <summary>Set once what is of interest begins.</summary>
    public int AtStart { get; set; }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Interlocked.Increment(ref _lines);

    public void Dispose()
    {
    }
}
