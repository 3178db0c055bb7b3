using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>A server that says one byte to whoever connects, and then holds the connection.</summary>
internal sealed class GreetingBackend : IDisposable
{
    private readonly Socket _listening;
    private readonly List<Socket> _held = [];

    public GreetingBackend(IPEndPoint endpoint)
    {
        _listening = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _listening.Bind(endpoint);
        _listening.Listen(1000);
        Endpoint = Endpoint.From(endpoint);
        _ = AcceptAsync();
    }

    public Endpoint Endpoint { get; }

    public void Dispose()
    {
        _listening.Dispose();
        lock (_held)
        {
            _held.ForEach(s => s.Dispose());
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket accepted = await _listening.AcceptAsync();
                lock (_held)
                {
                    _held.Add(accepted);
                }

                await accepted.SendAsync(new byte[] { 1 });
            }
        }
        catch (SocketException)
        {
            // Disposed: the body is over.
        }
        catch (ObjectDisposedException)
        {
        }
    }
}
