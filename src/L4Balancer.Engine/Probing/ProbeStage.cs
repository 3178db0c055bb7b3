namespace L4Balancer.Engine.Probing;

/// <summary>What an exchange waits for.</summary>
internal enum ProbeStage
{
    Handshake,
    Answer,
    Upgrade,
    Pong,
}
