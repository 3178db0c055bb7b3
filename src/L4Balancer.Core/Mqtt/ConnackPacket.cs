using L4Balancer.Core.Http;

namespace L4Balancer.Core.Mqtt;

/// <summary>The return code of a CONNACK (MQTT 3.1.1, 3.2.2.3).</summary>
public enum ConnackCode
{
    Accepted = 0,
    UnacceptableProtocol = 1,
    IdentifierRejected = 2,

    /// <summary>The broker is reached, but its MQTT service is not available.</summary>
    ServerUnavailable = 3,
    BadCredentials = 4,
    NotAuthorized = 5,
}

/// <summary>A broker's answer to CONNECT (MQTT 3.1.1, 3.2).</summary>
public readonly record struct ConnackPacket(ConnackCode Code)
{
    /// <summary>The length of the packet in bytes: a fixed header of two, the acknowledge flags, the return code.</summary>
    public const int Length = 4;

    private const byte FixedHeader = 0x20;
    private const byte RemainingLength = 2;

    /// <summary>
    /// Parses the beginning of what a broker has sent; later bytes are ignored. The flags must be zero: a session cannot be present after a
    /// CONNECT with a clean session ([MQTT-3.2.2-1]), and the other bits are reserved.
    /// </summary>
    public static ParseResult TryParse(ReadOnlySpan<byte> bytes, out ConnackPacket packet)
    {
        packet = default;
        ReadOnlySpan<byte> head = [FixedHeader, RemainingLength, 0];
        if (!bytes[..Math.Min(bytes.Length, head.Length)].SequenceEqual(head[..Math.Min(bytes.Length, head.Length)]))
        {
            return ParseResult.Invalid;
        }

        if (bytes.Length < Length)
        {
            return ParseResult.NeedMore;
        }

        packet = new ConnackPacket((ConnackCode)bytes[Length - 1]);
        return packet.Code <= ConnackCode.NotAuthorized ? ParseResult.Parsed : ParseResult.Invalid;
    }
}

/// <summary>The CONNECT of a probe (MQTT 3.1.1, 3.1).</summary>
public static class ConnectPacket
{
    /// <summary>
    /// Protocol level 4 (3.1.1), a clean session, a keepalive of 10 s, and an empty client identifier, for which the broker chooses one
    /// ([MQTT-3.1.3-6]): probes of several balancers do not take each other's session over, and no session is left behind.
    /// </summary>
    public static ReadOnlyMemory<byte> Probe { get; } = new byte[]
    {
        0x10, 12, // CONNECT, remaining length
        0, 4, (byte)'M', (byte)'Q', (byte)'T', (byte)'T', 4, // protocol name and level
        0x02, 0, 10, // clean session; keepalive in seconds
        0, 0, // client identifier
    };
}
