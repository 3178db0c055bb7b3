using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Pacing;

/// <summary>Holds every connection until the other side finishes. It can stop to listen, and listen again, with its connections untouched.</summary>
internal sealed class HoldingBackend : IDisposable
{
    private readonly List<Socket> _all = [];
    private Socket? _listening;

    public HoldingBackend()
    {
        Endpoint = new IPEndPoint(IPAddress.Loopback, 0);
        Listen();
    }

    public IPEndPoint Endpoint { get; private set; }

    public void Listen()
    {
        _listening = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listening.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listening.Bind(Endpoint);
        Endpoint = (IPEndPoint)_listening.LocalEndPoint!;
        _listening.Listen(4096);
        _ = AcceptAsync(_listening);
    }

    public void StopListening() => _listening!.Dispose();

    public void Dispose()
    {
        StopListening();
        lock (_all)
        {
            _all.ForEach(s => s.Dispose());
        }
    }

    private async Task AcceptAsync(Socket listening)
    {
        try
        {
            while (true)
            {
                Socket socket = await listening.AcceptAsync();
                lock (_all)
                {
                    _all.Add(socket);
                }

                _ = HoldAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It does not listen any more.
        }
    }

    private static async Task HoldAsync(Socket socket)
    {
        try
        {
            while (await socket.ReceiveAsync(new byte[16]) > 0)
            {
                // Whatever it says.
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // A probe ends with a reset, the test with everything.
        }

        socket.Dispose();
    }
}
