using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>Keeps what is logged, as text. Any thread.</summary>
internal sealed class LogLines : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<string> _lines = [];

    public int Count(string text) => _lines.Count(l => l.Contains(text, StringComparison.Ordinal));

    public void Clear() => _lines.Clear();

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue(formatter(state, exception));

    public void Dispose()
    {
    }
}
