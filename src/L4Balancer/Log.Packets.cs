using Microsoft.Extensions.Logging;

namespace L4Balancer;

/// <summary>Packet listeners: 2160 to 2179.</summary>
internal static partial class Log
{
    [LoggerMessage(2160, LogLevel.Information, "listener {Listener}: packets to {Addresses} are sent on by {Attachment}")]
    public static partial void PacketsAreSentOn(this ILogger log, string listener, string addresses, string attachment);

    [LoggerMessage(2161, LogLevel.Error, "listener {Listener}: new flows go where they went before, because {Fault}; tried again in {After}")]
    public static partial void PacketsNotPublished(this ILogger log, string listener, string fault, TimeSpan after);

    [LoggerMessage(
        2162, LogLevel.Warning,
        "backend {Pool}/{Backend}: listener {Listener} has flows = 0, so that the established flows of this backend break: their packets go to other backends from now on")]
    public static partial void FlowsBreak(this ILogger log, string pool, string backend, string listener);

    [LoggerMessage(
        2163, LogLevel.Warning,
        "backend {Pool}/{Backend}: its port {Port} is not that of listener {Listener}; packets keep their port, so that they reach another service of this host, or none")]
    public static partial void PortIsAnother(this ILogger log, string pool, string backend, int port, string listener);

    [LoggerMessage(2164, LogLevel.Warning, "what an earlier daemon has left for packet listeners is still there: {Fault}")]
    public static partial void PacketsLeft(this ILogger log, string fault);

    [LoggerMessage(2165, LogLevel.Information, "packets are no longer sent on: what was attached for packet listeners is removed")]
    public static partial void PacketsEnd(this ILogger log);

    [LoggerMessage(2166, LogLevel.Error, "packets are sent on as they were at the beginning of the upgrade, because what was attached could not be taken back: {Fault}")]
    public static partial void PacketsNotTakenBack(this ILogger log, string fault);
}
