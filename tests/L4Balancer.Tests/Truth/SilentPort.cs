using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Truth;

/// <summary>A port that answers nothing: its queue of accepted connections is full, so the kernel drops every further SYN (listen(2)).</summary>
internal sealed class SilentPort : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _filling = [];

    public SilentPort()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1);
        Endpoint = (IPEndPoint)_listener.LocalEndPoint!;
        for (int i = 0; i < 8; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            _filling.Add(socket);
            try
            {
                socket.Connect(Endpoint);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                // Some are accepted, the others wait for ever.
            }
        }
    }

    public IPEndPoint Endpoint { get; }

    public void Dispose()
    {
        _filling.ForEach(s => s.Dispose());
        _listener.Dispose();
    }
}
