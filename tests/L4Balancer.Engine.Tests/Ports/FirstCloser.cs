namespace L4Balancer.Engine.Tests.Ports;

/// <summary>Who sends the first FIN, and with it keeps TIME_WAIT on its side of the balancer away from us, or not.</summary>
internal enum FirstCloser
{
    Backend,
    Client,
}
