namespace L4Balancer.Engine.Probing;

/// <summary>The head of an answer, as far as probes need it.</summary>
/// <param name="Fault">Why there is no valid head, in a few words.</param>
/// <param name="Switches">The answer upgrades the connection to WebSocket (RFC 6455, 4.1).</param>
/// <param name="Accepts">The answer proves that the server has understood the upgrade request.</param>
internal readonly record struct HttpReply(string? Fault, int Status, bool Switches, bool Accepts)
{
    public static HttpReply None(string fault) => new(fault, 0, false, false);

    public string? WhyNoUpgrade() => Status != 101 ? $"answered {Status}, not 101"
        : !Switches ? "answered 101, but not with Upgrade: websocket and Connection: Upgrade"
        : !Accepts ? "answered 101 with a wrong Sec-WebSocket-Accept"
        : null;
}
