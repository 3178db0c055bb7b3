using System.Globalization;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Probing;

/// <summary>The outcome of one probe, and the reason in a few words.</summary>
internal readonly record struct ProbeVerdict(ProbeOutcome Outcome, string Detail)
{
    /// <param name="isUnix">The target is a UNIX socket.</param>
    public static ProbeVerdict OfConnect(SocketError error, bool isUnix = false) => error == SocketError.Success
        ? new ProbeVerdict(ProbeOutcome.Success, "")
        : ConnectErrors.OfConnect(error, isUnix) switch
        {
            ConnectFailure.QueueFull => new ProbeVerdict(ProbeOutcome.Failure, "the queue of its socket is full"),
            ConnectFailure.NoFreePort => new ProbeVerdict(ProbeOutcome.LocalError, "no free local port"),
            ConnectFailure.LocalShortage => new ProbeVerdict(ProbeOutcome.LocalError, "out of descriptors or memory"),
            ConnectFailure.TimedOut => new ProbeVerdict(ProbeOutcome.Failure, "no answer"),
            _ => new ProbeVerdict(ProbeOutcome.Failure, isUnix && error == SocketError.AddressNotAvailable ? "no such socket" : InWords(error)),
        };

    /// <summary>The probe could not use its source address.</summary>
    public static ProbeVerdict OfSource(HostAddress source, ConnectFailure failure) => new(
        ProbeOutcome.LocalError,
        failure == ConnectFailure.SourceUnusable ? $"source address {source} is not an address of this host"
        : failure == ConnectFailure.NoFreePort ? $"no free local port on {source}"
        : $"cannot bind to source address {source}");

    public static ProbeVerdict NoSource() => new(ProbeOutcome.LocalError, "no source address of the backend's family");

    /// <param name="awaited">What did not arrive in time.</param>
    public static ProbeVerdict TooLate(ProbeOutcome outcome, string awaited, TimeSpan timeout) => new(
        outcome,
        timeout.Ticks % TimeSpan.TicksPerSecond == 0
            ? string.Create(CultureInfo.InvariantCulture, $"no {awaited} within {timeout.TotalSeconds}s")
            : string.Create(CultureInfo.InvariantCulture, $"no {awaited} within {timeout.TotalMilliseconds}ms"));

    /// <summary>The balancer itself had no time for the probe.</summary>
    public static ProbeVerdict TooBusy() => new(ProbeOutcome.LocalError, "the balancer was too busy to finish the probe");

    /// <summary>The probe failed because of an internal fault.</summary>
    public static ProbeVerdict Ours(Exception e) => new(ProbeOutcome.LocalError, $"the probe failed: {e.GetType().Name}: {e.Message}");

    /// <summary>The backend accepted the connection but did not answer as required.</summary>
    public static ProbeVerdict Unfit(string detail) => new(ProbeOutcome.Unfit, detail);

    private static string InWords(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.HostUnreachable => "host unreachable",
        SocketError.HostDown => "host down",
        SocketError.NetworkUnreachable => "network unreachable",
        SocketError.NetworkDown => "network down",
        SocketError.ConnectionReset => "connection reset",
        SocketError.AccessDenied => "connect not permitted on this host",
        _ => error.ToString(),
    };
}
