using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>A server whose connections the kernel makes and nobody accepts: they cost no descriptors. The namespace's somaxconn bounds them.</summary>
internal sealed class UnacceptedBackend : IDisposable
{
    private readonly Socket _listening = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public UnacceptedBackend(Endpoint endpoint)
    {
        _listening.Bind(endpoint.ToIPEndPoint());
        _listening.Listen(int.MaxValue);
    }

    public void Dispose() => _listening.Dispose();
}
