using L4Balancer.Core.Addressing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine;

/// <summary>Everything the engine logs. Ids 2000 to 2999; an id is never reused for another message.</summary>
internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Information, "listening on {Endpoint} (listener {Listener})")]
    public static partial void Listening(this ILogger logger, string endpoint, string listener);

    [LoggerMessage(2001, LogLevel.Error, "closing connection {Id} after an unexpected error")]
    public static partial void ServingFailed(this ILogger logger, ulong id, Exception exception);

    [LoggerMessage(2002, LogLevel.Error, "could not deliver the record of connection {Id}")]
    public static partial void RecordNotTaken(this ILogger logger, ulong id, Exception exception);

    [LoggerMessage(2003, LogLevel.Warning,
        "cannot accept on {Endpoint} ({Error}): pausing; connections queue in the kernel meanwhile. Raise LimitNOFILE if this persists")]
    public static partial void AcceptBacksOff(this ILogger logger, Endpoint endpoint, string error, Exception? exception);

    [LoggerMessage(2004, LogLevel.Information, "accepting again on {Endpoint} after {Count} failures")]
    public static partial void AcceptRecovered(this ILogger logger, Endpoint endpoint, int count);

    [LoggerMessage(2005, LogLevel.Information, "no longer listening on {Endpoint} (listener {Listener})")]
    public static partial void NoLongerListening(this ILogger logger, string endpoint, string listener);

    [LoggerMessage(2011, LogLevel.Warning,
        "listener {Listener}: mptcp = true, but this kernel has no Multipath TCP, or net.mptcp.enabled is 0; plain TCP is accepted")]
    public static partial void LacksMultipath(this ILogger logger, string listener);

    [LoggerMessage(2012, LogLevel.Error,
        "pool {Pool}: transparent = true, but the kernel refuses IP_TRANSPARENT ({Error}), so that nothing can be connected. Give the daemon "
        + "CAP_NET_ADMIN (AmbientCapabilities= of its unit), or set transparent = false")]
    public static partial void NotTransparent(this ILogger logger, string pool, string error);

    [LoggerMessage(2013, LogLevel.Warning,
        "pool {Pool}: transparent = true, but this host cannot connect from the address of a client ({Error}); that client is refused. The "
        + "address may be one that only this host can use, like 127.0.0.1 or a link-local one, or a rule of this host forbids it")]
    public static partial void CannotConnectAsClient(this ILogger logger, string pool, string error);

    [LoggerMessage(2006, LogLevel.Information, "using the inherited socket of {Endpoint}")]
    public static partial void Inherited(this ILogger logger, Endpoint endpoint);

    [LoggerMessage(2007, LogLevel.Warning,
        "inherited socket matches no listener: descriptor {Descriptor}, {Endpoint}; closed. Add the address to a `bind`, or remove it "
        + "from the socket unit")]
    public static partial void InheritedForNothing(this ILogger logger, int descriptor, string endpoint);

    [LoggerMessage(2009, LogLevel.Error, "unexpected error in event loop {Worker}; the loop continues")]
    public static partial void LoopStepFailed(this ILogger logger, int worker, Exception exception);

    [LoggerMessage(2010, LogLevel.Error, "{Count} further exceptions in event loop {Worker} were not logged")]
    public static partial void ExceptionsNotLogged(this ILogger logger, int count, int worker);

    [LoggerMessage(2020, LogLevel.Error, "the engine has stopped although not everything has ended; the kernel closes what is left: {Rest}")]
    public static partial void StopLeavesConnections(this ILogger logger, string rest, Exception? exception);

    [LoggerMessage(2021, LogLevel.Error, "unexpected error while checking timeouts; they are checked again")]
    public static partial void CheckFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2060, LogLevel.Error, "cannot listen as the configuration in force says after a hand-over that failed: {Message}")]
    public static partial void NotListeningAgain(this ILogger logger, string message);

    [LoggerMessage(2008, LogLevel.Warning,
        "the inherited socket of {Endpoint} also accepts IPv4; set BindIPv6Only=ipv6-only in the socket unit to prevent this")]
    public static partial void InheritedTakesIPv4(this ILogger logger, Endpoint endpoint);

    [LoggerMessage(2050, LogLevel.Warning,
        "connection {Id} would not outlive a crash: it is not in the ledger, because the file system that has it is full, or event loop {Worker} has too "
        + "many connections; {Count} so far")]
    public static partial void NotInLedger(this ILogger logger, ulong id, int worker, long count);

    [LoggerMessage(2051, LogLevel.Warning,
        "listener {Listener}: the queue of {Endpoint} would not outlive a crash: the ledger has no place for it")]
    public static partial void ListeningNotInLedger(this ILogger logger, string listener, Endpoint endpoint);

    [LoggerMessage(2052, LogLevel.Error, "unexpected error while names of the ledger were looked through; new backends may get no place in it")]
    public static partial void NamesNotSwept(this ILogger logger, Exception exception);

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
        "{Address} does not answer on {Interface} (ARP or neighbour discovery), so that its packets are dropped. With forward = \"l2\" a backend must "
        + "be on the segment of the interface")]
    public static partial void NeighbourMissing(this ILogger logger, HostAddress address, string @interface);

    [LoggerMessage(2136, LogLevel.Information, "{Address} on {Interface} is at {Mac}")]
    public static partial void NeighbourFound(this ILogger logger, HostAddress address, string @interface, string mac);

    [LoggerMessage(2137, LogLevel.Error, "unexpected error while following neighbours; they are followed further")]
    public static partial void NeighboursFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2138, LogLevel.Warning, "interface {Interface} is not there any more: its packets are taken again when it comes back")]
    public static partial void PacketInterfaceGone(this ILogger logger, string @interface);

    [LoggerMessage(2139, LogLevel.Error, "{Fault}. It is tried again every {Seconds} s")]
    public static partial void PacketsNotTaken(this ILogger logger, string fault, double seconds);

    [LoggerMessage(2240, LogLevel.Warning, "interface {Interface}: another process has detached the program of the packet listeners: it is attached again")]
    public static partial void ProgramDetached(this ILogger logger, string @interface);

    [LoggerMessage(2141, LogLevel.Warning, "{Path}: could not be removed ({Error}); packets may still be taken")]
    public static partial void PacketsNotRemoved(this ILogger logger, string path, string error);
}
