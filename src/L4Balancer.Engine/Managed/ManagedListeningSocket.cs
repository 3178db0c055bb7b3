using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;

namespace L4Balancer.Engine.Managed;

/// <summary>A listening socket of System.Net.Sockets, and its accept loop.</summary>
internal sealed class ManagedListeningSocket : ListeningSocket
{
    private readonly Socket _socket;
    private AcceptBackoff? _backoff;
    private CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    private ManagedListeningSocket(Socket socket, Endpoint requested, ListenerRoute target, bool shared)
        : base(
            OperatingSystem.IsLinux() ? (int)socket.Handle : -1, Endpoint.From((IPEndPoint)socket.LocalEndPoint!), requested, target, shared) =>
        _socket = socket;

    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public static ManagedListeningSocket Bind(Endpoint endpoint, ListenerRoute target, bool share)
    {
        IPEndPoint address = endpoint.ToIPEndPoint();
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.IPv6Only, true);
            }

            if (share)
            {
                TcpSocket.SetOption((int)socket.Handle, Libc.SOL_SOCKET, Libc.SO_REUSEPORT, 1);
            }

            if (target.Listener.Settings.Freebind && OperatingSystem.IsLinux())
            {
                TcpSocket.SetOption((int)socket.Handle, Libc.IPPROTO_IP, Libc.IP_FREEBIND, 1);
            }

            // On Unix the runtime's bind sets SO_REUSEADDR by itself, so that a restart binds over connections in TIME_WAIT. ReuseAddress
            // would set SO_REUSEPORT too, and a second daemon would take half of the connections unnoticed.
            socket.Bind(address);
            return new ManagedListeningSocket(socket, endpoint, target, share);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static ManagedListeningSocket Inherit(int descriptor, Endpoint endpoint, ListenerRoute target)
    {
        TcpSocket.MakeOurs(descriptor);

        // The socket may still have the filter that the previous process attached.
        SynFilter.Detach(descriptor);
        return new ManagedListeningSocket(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)), endpoint, target, shared: false)
        {
            IsInherited = true,
        };
    }

    public override SocketError Listen(int backlog)
    {
        try
        {
            _socket.Listen(backlog);
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    public override void Dispose()
    {
        _socket.Dispose();
        _stop.Dispose();
    }

    /// <summary>Starts to accept; no effect if it already does.</summary>
    public void Watch(ManagedEngine engine)
    {
        if (_loop.IsCompleted || _stop.IsCancellationRequested)
        {
            _stop = new CancellationTokenSource();
            _backoff ??= new AcceptBackoff(engine.Log);
            _loop = AcceptAsync(engine, _backoff, _stop.Token);
        }
    }

    /// <summary>Stops accepting; completes when the accept loop has ended.</summary>
    public Task UnwatchAsync()
    {
        _stop.Cancel();
        return _loop;
    }

    /// <summary>Accepts queued connections while no accept loop runs.</summary>
    /// <returns>False if connections may still be queued.</returns>
    public bool AcceptQueued(ManagedEngine engine)
    {
        _socket.Blocking = false;
        try
        {
            while (true)
            {
                Serve(engine, _socket.Accept());
            }
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.WouldBlock;
        }
    }

    // Hands every accepted socket to the engine until it is stopped. After an accept that failed for lack of resources it pauses, longer
    // each time, up to a second.
    private async Task AcceptAsync(ManagedEngine engine, AcceptBackoff backoff, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                Socket client = await _socket.AcceptAsync(stop).ConfigureAwait(false);
                backoff.Succeeded(Endpoint);
                Serve(engine, client);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException e) when (EndedInQueue(e.SocketErrorCode))
            {
                // Continue with the next connection.
            }
            catch (Exception e)
            {
                TimeSpan pause = backoff.Failed(Endpoint, e.Message, engine.Now, e is SocketException ? null : e);
                await Task.Delay(pause, engine.Options.Clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Serve(ManagedEngine engine, Socket client)
    {
        if (WasFiltered)
        {
            SynFilter.Detach((int)client.Handle);
        }

        engine.Serve(client, Target);
    }

    // Errors that accept(2) passes on from a connection that ended in the queue. Any other error (EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM)
    // would recur at once, and the loop would spin.
    private static bool EndedInQueue(SocketError error) => error is SocketError.ConnectionAborted or SocketError.ConnectionReset
        or SocketError.NetworkDown or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.HostUnreachable
        or SocketError.ProtocolOption or SocketError.OperationNotSupported;
}
