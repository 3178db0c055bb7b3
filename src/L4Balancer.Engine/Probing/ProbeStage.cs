namespace L4Balancer.Engine.Probing;

/// <summary>The step that an exchange is waiting for.</summary>
internal enum ProbeStage
{
    Handshake,
    Answer,
    Upgrade,
    Pong,
}
