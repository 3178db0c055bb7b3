namespace L4Balancer.Engine.Tests.Peers;

/// <summary>How a stream ended, as its reader saw it.</summary>
internal enum StreamEnd
{
    Fin,
    Reset,
}
