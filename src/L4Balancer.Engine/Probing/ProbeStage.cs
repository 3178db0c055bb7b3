namespace L4Balancer.Engine.Probing;

/// <summary>The step that an exchange is waiting for.</summary>
internal enum ProbeStage
{
    Handshake,
    Answer,
    Upgrade,
    Pong,

    /// <summary>The answer that must contain <c>expect</c>.</summary>
    Expected,

    /// <summary>The CONNACK of an MQTT broker.</summary>
    Connack,
}
