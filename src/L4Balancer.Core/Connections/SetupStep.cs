using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>What the engine does next for a connection that is being set up.</summary>
public enum SetupAction
{
    /// <summary>Reset the client; the refusal is counted already.</summary>
    Refuse,

    /// <summary>Connect from <see cref="SetupStep.Source"/> to <see cref="SetupStep.Target"/>, by <see cref="SetupStep.Deadline"/>.</summary>
    Connect,

    /// <summary>
    /// Read the first bytes of the client by <see cref="SetupStep.Deadline"/>: a PROXY header if <see
    /// cref="ConnectionSetup.AwaitsProxyHeader"/>, else what <see cref="ConnectionSetup.Inspects"/> says. Then report what was found.
    /// </summary>
    Inspect,

    /// <summary>Do nothing until <see cref="SetupStep.Deadline"/>; then report that it has passed.</summary>
    Wait,

    /// <summary>Both sides are connected: relay.</summary>
    Relay,
}

/// <summary>An action with its parameters.</summary>
/// <param name="Source">The address to connect from; null if the kernel chooses.</param>
public readonly record struct SetupStep(SetupAction Action, CloseReason Reason, HostAddress? Source, Endpoint Target, Instant Deadline)
{
    /// <summary>
    /// The client's own address, from which the connect is made (IP_TRANSPARENT, ip(7)); null: from <see cref="Source"/>. Then <see
    /// cref="Source"/> and <see cref="Window"/> are null.
    /// </summary>
    public HostAddress? Transparent { get; init; }

    /// <summary>The local ports that the connect may use; null: all of them.</summary>
    public PortWindow? Window { get; init; }

    internal static SetupStep Refuse(CloseReason reason) => new(SetupAction.Refuse, reason, null, default, Instant.Never);

    internal static SetupStep Connect(HostAddress? source, PortWindow? window, Endpoint target, Instant deadline) =>
        new(SetupAction.Connect, CloseReason.None, source, target, deadline) { Window = window };

    internal static SetupStep Inspect(Instant deadline) => new(SetupAction.Inspect, CloseReason.None, null, default, deadline);

    internal static SetupStep WaitUntil(Instant deadline) => new(SetupAction.Wait, CloseReason.None, null, default, deadline);

    internal static SetupStep Relay { get; } = new(SetupAction.Relay, CloseReason.None, null, default, Instant.Never);
}
