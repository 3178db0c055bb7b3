using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>One bound address and its accept loop.</summary>
internal sealed class ListeningSocket : IDisposable
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(1);

    private readonly Socket _socket;

    private ListeningSocket(Socket socket, string listener)
    {
        _socket = socket;
        Listener = listener;
        Endpoint = Endpoint.From((IPEndPoint)socket.LocalEndPoint!);
    }

    /// <summary>The listener's name.</summary>
    public string Listener { get; }

    /// <summary>As bound: with the port that the kernel chose where 0 was asked for.</summary>
    public Endpoint Endpoint { get; }

    /// <exception cref="SocketException">It cannot be bound.</exception>
    public static ListeningSocket Open(Listener listener, Endpoint endpoint)
    {
        IPEndPoint address = endpoint.ToIPEndPoint();
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.IPv6Only, true);
            }

            TcpOptions.DeferAccept(socket, listener.Settings.DeferAccept);

            // On Unix the runtime's bind sets SO_REUSEADDR by itself, so that a restart binds over connections in TIME_WAIT. Asked for
            // by ReuseAddress it would set SO_REUSEPORT too, and a second daemon would take half of the connections unnoticed.
            socket.Bind(address);
            socket.Listen(listener.Settings.Backlog);
            return new ListeningSocket(socket, listener.Name);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Hands every accepted socket to the engine until it is stopped. An accept that fails for want of something waits, longer each
    /// time, up to a second.
    /// </summary>
    public async Task AcceptAsync(ManagedEngine engine, CancellationToken stop)
    {
        int failures = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                Socket client = await _socket.AcceptAsync(stop).ConfigureAwait(false);
                if (failures > 0)
                {
                    engine.Log.AcceptRecovered(Endpoint, failures);
                    failures = 0;
                }

                engine.Serve(client, Listener);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException e) when (EndedInQueue(e.SocketErrorCode))
            {
                // The next one, please.
            }
            catch (Exception e)
            {
                if (failures++ == 0)
                {
                    engine.Log.AcceptBacksOff(Endpoint, e.Message);
                }

                TimeSpan backoff = TimeSpan.FromTicks(Math.Min(FirstBackoff.Ticks << Math.Min(failures - 1, 10), LongestBackoff.Ticks));
                await Task.Delay(backoff, engine.Options.Clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    // What accept(2) passes on of a connection that ended while it was queued. Anything else (EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM)
    // would come again at once, and the loop would spin.
    private static bool EndedInQueue(SocketError error) => error is SocketError.ConnectionAborted or SocketError.ConnectionReset
        or SocketError.NetworkDown or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.HostUnreachable
        or SocketError.ProtocolOption or SocketError.OperationNotSupported;
}
