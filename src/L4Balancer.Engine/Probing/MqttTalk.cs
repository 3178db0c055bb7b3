using L4Balancer.Core.Http;
using L4Balancer.Core.Mqtt;

namespace L4Balancer.Engine.Probing;

/// <summary>Sends CONNECT to an MQTT broker and judges its CONNACK (MQTT 3.1.1, 3.1 and 3.2).</summary>
internal sealed class MqttTalk(Stream stream, byte[] buffer)
{
    /// <summary>DISCONNECT, after which the broker closes the connection and publishes no will (MQTT 3.1.1, 3.14).</summary>
    public static ReadOnlyMemory<byte> Disconnect { get; } = new byte[] { 0xE0, 0x00 };

    /// <returns>What went wrong, in a few words; null if the broker lives.</returns>
    public async ValueTask<string?> ConnectAsync()
    {
        await stream.WriteAsync(ConnectPacket.Probe).ConfigureAwait(false);
        int filled = 0;
        while (true)
        {
            switch (ConnackPacket.TryParse(buffer.AsSpan(0, filled), out ConnackPacket answer))
            {
                case ParseResult.Parsed:
                    return WhyNot(answer);
                case ParseResult.Invalid:
                    return "answer is not an MQTT CONNACK";
            }

            int count = await stream.ReadAsync(buffer.AsMemory(filled, ConnackPacket.Length - filled)).ConfigureAwait(false);
            if (count == 0)
            {
                return filled == 0 ? "closed without a CONNACK" : "closed before the CONNACK was complete";
            }

            filled += count;
        }
    }

    // A refusal of the protocol version, of the client identifier or of the missing credentials comes from a broker that works: a probe is a
    // client without an account.
    private static string? WhyNot(ConnackPacket answer) => answer.Code switch
    {
        ConnackCode.Accepted or ConnackCode.UnacceptableProtocol or ConnackCode.IdentifierRejected or ConnackCode.BadCredentials
            or ConnackCode.NotAuthorized => null,
        _ => "CONNACK says that the MQTT service is unavailable (code 3)",
    };
}
