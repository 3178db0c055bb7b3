using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Pacing;

/// <summary>
/// Holds every connection until the other side finishes, but one that asks by HTTP is answered. It can stop to listen, and listen again,
/// with its connections untouched.
/// </summary>
internal sealed class HoldingBackend : IDisposable
{
    private readonly List<Socket> _all = [];
    private Socket? _listening;
    private volatile int _status = 200;
    private int _asked;

    public HoldingBackend()
    {
        Endpoint = new IPEndPoint(IPAddress.Loopback, 0);
        Listen();
    }

    public IPEndPoint Endpoint { get; private set; }

    /// <summary>What a request by HTTP is answered with.</summary>
    public int Status
    {
        get => _status;
        set => _status = value;
    }

    /// <summary>Requests by HTTP so far.</summary>
    public int Asked => Volatile.Read(ref _asked);

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

    private async Task HoldAsync(Socket socket)
    {
        try
        {
            byte[] said = new byte[1024];
            for (int count; (count = await socket.ReceiveAsync(said)) > 0;)
            {
                if (said.AsSpan(0, count).StartsWith("GET "u8))
                {
                    Interlocked.Increment(ref _asked);
                    await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {_status} As it is\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // A probe ends with a reset, the test with everything.
        }

        socket.Dispose();
    }
}
