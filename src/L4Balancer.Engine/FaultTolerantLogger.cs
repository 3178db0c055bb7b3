using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine;

/// <summary>
/// Drops what a log provider cannot write. A logger passes the exceptions of its providers on; in the handler of another exception they
/// would end an event loop, and with it the process.
/// </summary>
internal sealed class FaultTolerantLogger(ILogger inner) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return inner.IsEnabled(logLevel);
        }
        catch
        {
            return false;
        }
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            inner.Log(logLevel, eventId, state, exception, formatter);
        }
        catch
        {
            // There is no place left to report it.
        }
    }
}
