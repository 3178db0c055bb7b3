using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>A backend whose every connection a test drives by hand, or hands to <see cref="Serve"/>.</summary>
internal sealed class TestBackend : IDisposable
{
    private readonly Socket _socket;
    private readonly List<Peer> _served = [];
    private Peer? _filler;

    private TestBackend(string address, int receiveBuffer)
    {
        var ip = IPAddress.Parse(address);
        _socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer > 0)
        {
            _socket.ReceiveBufferSize = receiveBuffer;
        }

        _socket.Bind(new IPEndPoint(ip, 0));
        Endpoint = Endpoint.From((IPEndPoint)_socket.LocalEndPoint!);
    }

    private TestBackend(Endpoint path)
    {
        _socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _socket.Bind(new UnixDomainSocketEndPoint(path.UnixPath));
        Endpoint = path;
    }

    public Endpoint Endpoint { get; }

    /// <summary>Whether a connection waits to be accepted.</summary>
    public bool HasWaiting => _socket.Poll(0, SelectMode.SelectRead);

    /// <summary>A UNIX socket that listens.</summary>
    public static TestBackend ListeningAt(Endpoint path, int backlog = 4096)
    {
        var backend = new TestBackend(path);
        backend._socket.Listen(backlog);
        return backend;
    }

    public static TestBackend Listening(string address = "127.0.0.1", int receiveBuffer = 0)
    {
        var backend = new TestBackend(address, receiveBuffer);
        backend.Listen();
        return backend;
    }

    /// <summary>A port that is taken but not listened on: connecting to it is refused, until <see cref="Listen"/>.</summary>
    public static TestBackend Refusing() => new("127.0.0.1", 0);

    /// <summary>A backend that answers nothing: its accept queue is full, so that further SYNs are dropped, until <see cref="Unblock"/>.</summary>
    public static async Task<TestBackend> SilentAsync()
    {
        var backend = new TestBackend("127.0.0.1", 0);
        backend._socket.Listen(0);
        backend._filler = await Peer.ConnectAsync(backend.Endpoint);
        var state = new TcpInfo(backend._socket);
        await Patience.Until(() => state.AcceptQueueIsFull, "the accept queue is full");
        return backend;
    }

    public void Listen() => _socket.Listen(4096);

    /// <summary>Makes room: the next SYN, a second after the first one at most two later, is answered.</summary>
    public async Task Unblock()
    {
        _socket.Listen(4096);
        (await AcceptAsync()).Dispose();
    }

    public async Task<Peer> AcceptAsync() => Accepted(await _socket.AcceptAsync().Soon());

    /// <summary>Serves every connection from now on in the same way, until disposed.</summary>
    public void Serve(Func<Peer, Task> one) => _ = AcceptAllAsync(one);

    public void ServeEcho() => Serve(EchoAsync);

    public void Dispose()
    {
        _socket.Dispose();
        _filler?.Dispose();
        lock (_served)
        {
            _served.ForEach(p => p.Dispose());
        }
    }

    private static Peer Accepted(Socket socket) =>
        new(socket, socket.AddressFamily == AddressFamily.Unix ? default : Endpoint.From((IPEndPoint)socket.RemoteEndPoint!));

    /// <summary>Sends back what comes, and closes when the other side has finished.</summary>
    private static async Task EchoAsync(Peer peer)
    {
        byte[] buffer = new byte[4096];
        int received;
        while ((received = await peer.Socket.ReceiveAsync(buffer.AsMemory())) > 0)
        {
            await peer.SendAsync(buffer.AsMemory(0, received));
        }
    }

    private async Task AcceptAllAsync(Func<Peer, Task> one)
    {
        try
        {
            while (true)
            {
                Peer peer = Accepted(await _socket.AcceptAsync());
                lock (_served)
                {
                    _served.Add(peer);
                }

                _ = ServeOneAsync(peer, one);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeOneAsync(Peer peer, Func<Peer, Task> one)
    {
        try
        {
            await one(peer);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or EndOfStreamException)
        {
            // How a connection ends is what the test's other end looks at.
        }
        finally
        {
            peer.Dispose();
            lock (_served)
            {
                _served.Remove(peer);
            }
        }
    }
}
