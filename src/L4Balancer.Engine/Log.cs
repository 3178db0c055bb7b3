using L4Balancer.Core.Addressing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine;

/// <summary>Everything the engine logs. Ids 2000 to 2999; an id is never used again for something else.</summary>
internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Information, "listening on {Endpoint} (listener {Listener})")]
    public static partial void Listening(this ILogger logger, Endpoint endpoint, string listener);

    [LoggerMessage(2001, LogLevel.Error, "connection {Id} is closed: serving it failed")]
    public static partial void ServingFailed(this ILogger logger, ulong id, Exception exception);

    [LoggerMessage(2002, LogLevel.Error, "the record of connection {Id} was not taken")]
    public static partial void RecordNotTaken(this ILogger logger, ulong id, Exception exception);

    [LoggerMessage(2003, LogLevel.Warning,
        "cannot accept on {Endpoint} ({Error}): waiting; connections queue in the kernel meanwhile. Raise LimitNOFILE if this stays")]
    public static partial void AcceptBacksOff(this ILogger logger, Endpoint endpoint, string error);

    [LoggerMessage(2004, LogLevel.Information, "accepting again on {Endpoint} after {Count} failures")]
    public static partial void AcceptRecovered(this ILogger logger, Endpoint endpoint, int count);
}
