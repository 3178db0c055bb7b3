using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>A listening socket of System.Net.Sockets, and its accept loop.</summary>
internal sealed class ManagedListeningSocket : ListeningSocket
{
    private readonly Socket _socket;
    private AcceptBackoff? _backoff;
    private CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    private ManagedListeningSocket(Socket socket, Endpoint requested, ListenerRoute target, bool shared, bool inherited = false)
        : base(
            OperatingSystem.IsLinux() ? (int)socket.Handle : -1,
            requested.IsUnix ? requested : Endpoint.From((IPEndPoint)socket.LocalEndPoint!),
            requested, target, shared, inherited) =>
        _socket = socket;

    public static (ManagedListeningSocket? Socket, SocketError Error) Bind(Endpoint endpoint, ListenerRoute target, bool share)
    {
        if (!OperatingSystem.IsLinux())
        {
            return BindPortable(endpoint, target);
        }

        SocketError error = ListenDescriptor.Bind(endpoint, target.Listener.Settings, share, out int descriptor, out bool lacksMultipath);
        return error == SocketError.Success
            ? (new ManagedListeningSocket(Of(descriptor), endpoint, target, share) { LacksMultipath = lacksMultipath }, error)
            : (null, error);
    }

    private static (ManagedListeningSocket? Socket, SocketError Error) BindPortable(Endpoint endpoint, ListenerRoute target)
    {
        EndPoint address = SocketEndPoint.Of(endpoint);
        Socket? socket = null;
        try
        {
            if (endpoint.IsUnix && ListenDescriptor.MakeRoom(endpoint.UnixPath) is not SocketError.Success and var occupied)
            {
                return (null, occupied);
            }

            socket = SocketEndPoint.Open(address);
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.IPv6Only, true);
            }

            // On Unix the runtime's bind sets SO_REUSEADDR by itself, so that a restart binds over connections in TIME_WAIT. ReuseAddress
            // would set SO_REUSEPORT too, and a second daemon would take half of the connections unnoticed.
            socket.Bind(address);
            bool lacksMultipath = target.Listener.Settings.Mptcp && !endpoint.IsUnix;
            return (new ManagedListeningSocket(socket, endpoint, target, shared: false) { LacksMultipath = lacksMultipath }, SocketError.Success);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            return (null, e.SocketErrorCode);
        }
    }

    public static ManagedListeningSocket Inherit(int descriptor, Endpoint endpoint, ListenerRoute target, bool isFromService)
    {
        TcpSocket.MakeOurs(descriptor);

        // The socket may still have the filter that the previous process attached.
        SynFilter.Detach(descriptor);
        return new ManagedListeningSocket(Of(descriptor), endpoint, target, shared: false, inherited: isFromService);
    }

    private static Socket Of(int descriptor) => new(new SafeSocketHandle(descriptor, ownsHandle: true));

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
        RemoveFile();
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
        catch (Exception e)
        {
            engine.Log.AcceptBacksOff(Endpoint, e.Message, e);
            return false;
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

        engine.Serve(client, Target, Endpoint);
    }

    // Errors that accept(2) passes on from a connection that ended in the queue. Any other error (EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM)
    // would recur at once, and the loop would spin.
    private static bool EndedInQueue(SocketError error) => error is SocketError.ConnectionAborted or SocketError.ConnectionReset
        or SocketError.NetworkDown or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.HostUnreachable
        or SocketError.ProtocolOption or SocketError.OperationNotSupported;
}
