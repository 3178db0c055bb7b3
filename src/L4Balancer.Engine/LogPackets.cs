using L4Balancer.Core.Addressing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine;

/// <content>What the packet tier logs: ids 2130 to 2149.</content>
internal static partial class Log
{
    [LoggerMessage(2130, LogLevel.Information, "packets are taken by {Attachment}")]
    public static partial void PacketsTaken(this ILogger logger, string attachment);

    [LoggerMessage(2131, LogLevel.Information, "packets are taken by {Attachment}, as others do not work there ({Tried})")]
    public static partial void PacketsTakenOtherwise(this ILogger logger, string attachment, string tried);

    [LoggerMessage(2132, LogLevel.Information,
        "packets are taken by {Attachment}, taken over from the process before: its flows and counters go on")]
    public static partial void PacketsTakenOver(this ILogger logger, string attachment);

    [LoggerMessage(2133, LogLevel.Warning,
        "interface {Interface}: what the process before has left has another layout; its flows are forgotten, and packets of established connections "
        + "go to the backend that would be chosen now")]
    public static partial void PacketFlowsForgotten(this ILogger logger, string @interface);

    [LoggerMessage(2134, LogLevel.Information, "packets are no longer taken on {Interface}")]
    public static partial void PacketsNoLongerTaken(this ILogger logger, string @interface);

    [LoggerMessage(2135, LogLevel.Warning,
        "{Address} does not answer on {Interface} (ARP or neighbour discovery), so that its packets are dropped. With forward = \"l2\" a backend must be on the "
        + "segment of the interface")]
    public static partial void NeighbourMissing(this ILogger logger, HostAddress address, string @interface);

    [LoggerMessage(2136, LogLevel.Information, "{Address} on {Interface} is at {Mac}")]
    public static partial void NeighbourFound(this ILogger logger, HostAddress address, string @interface, string mac);

    [LoggerMessage(2137, LogLevel.Error, "unexpected error while following neighbours; they are followed further")]
    public static partial void NeighboursFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2138, LogLevel.Warning, "interface {Interface} is not there any more: its packets are taken again when it comes back")]
    public static partial void PacketInterfaceGone(this ILogger logger, string @interface);

    [LoggerMessage(2139, LogLevel.Error, "{Fault}")]
    public static partial void PacketsNotTaken(this ILogger logger, string fault);

    [LoggerMessage(2140, LogLevel.Warning, "listener {Listener}: {Count} backends, but only {Room} have room; the others get no packets")]
    public static partial void PacketBackendsWithoutRoom(this ILogger logger, string listener, int count, int room);

    [LoggerMessage(2141, LogLevel.Warning, "{Path}: could not be removed ({Error}); packets may still be taken")]
    public static partial void PacketsNotRemoved(this ILogger logger, string path, string error);
}
