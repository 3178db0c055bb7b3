using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>A port of a backend, on which a server may listen or not.</summary>
internal sealed class TestBackend : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _filler;
    private Socket _socket;

    private TestBackend(IPAddress address)
    {
        _socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _filler = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _socket.Bind(new IPEndPoint(address, 0));
        Endpoint = Endpoint.From((IPEndPoint)_socket.LocalEndPoint!);
    }

    public Endpoint Endpoint { get; }

    /// <summary>The port is taken, but nobody listens: connections are refused.</summary>
    public static TestBackend Silent(IPAddress? address = null) => new(address ?? IPAddress.Loopback);

    public static TestBackend Listening(IPAddress? address = null)
    {
        TestBackend backend = Silent(address);
        backend.Listen();
        return backend;
    }

    /// <summary>Listens with a full backlog: the kernel drops every further SYN, and a connect gets no answer at all.</summary>
    public static TestBackend BlackHole()
    {
        TestBackend backend = Silent();
        backend._socket.Listen(0);

        // A queue of n takes n + 1 (sk_acceptq_is_full compares with >).
        backend._filler.Connect(backend.Endpoint.ToIPEndPoint());
        return backend;
    }

    public void Listen() => _socket.Listen(1000);

    /// <summary>Stops listening: from now on connections are refused.</summary>
    public void StopListening()
    {
        _socket.Dispose();
        _socket = new Socket(_filler.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _socket.Bind(Endpoint.ToIPEndPoint());
    }

    /// <summary>A connection waits to be accepted.</summary>
    public bool HasWaiting => _socket.Poll(TimeSpan.Zero, SelectMode.SelectRead);

    public Socket Accept() => _socket.AcceptAsync().WaitAsync(Patience).GetAwaiter().GetResult();

    public void Dispose()
    {
        _filler.Dispose();
        _socket.Dispose();
    }
}
