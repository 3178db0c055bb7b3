namespace L4Balancer.Engine.Probing;

/// <summary>What the head of an answer says, as far as probes want to know it.</summary>
/// <param name="Fault">Why there is none, in a few words.</param>
/// <param name="Switches">It upgrades the connection to WebSocket (RFC 6455, 4.1).</param>
/// <param name="Accepts">It proves that it has understood the request for that.</param>
internal readonly record struct HttpReply(string? Fault, int Status, bool Switches, bool Accepts)
{
    public static HttpReply None(string fault) => new(fault, 0, false, false);

    public string? WhyNoUpgrade() => Status != 101 ? $"answered {Status}, not 101"
        : !Switches ? "answered 101, but not with Upgrade: websocket and Connection: Upgrade"
        : !Accepts ? "answered 101 with a wrong Sec-WebSocket-Accept"
        : null;
}
