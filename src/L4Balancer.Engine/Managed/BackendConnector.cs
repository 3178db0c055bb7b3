using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>A connected socket, or the reason for failure. Both are null if a token was cancelled first.</summary>
/// <param name="Gone">The backend has already reset the connection; the connect has cleared the error.</param>
/// <param name="Fault">For <see cref="ConnectFailure.NotTransparent"/>: what is wrong.</param>
internal readonly record struct ConnectResult(
    Socket? Socket, Endpoint LocalEndpoint, ConnectFailure? Failure, bool Gone = false, TransparentFault? Fault = null);

/// <summary>One attempt to connect to a backend.</summary>
internal static class BackendConnector
{
    public static async Task<ConnectResult> ConnectAsync(
        SetupStep step, PoolSettings pool, PortSupply ports, CancellationToken deadline, CancellationToken closing)
    {
        EndPoint target = SocketEndPoint.Of(step.Target);
        if (Open(step, target, pool, ports, out Socket? socket, out TransparentFault? fault) is { } ours)
        {
            socket?.Dispose();
            return new ConnectResult(null, default, ours, Fault: fault);
        }

        ConnectResult result = default;
        try
        {
            result = await ConnectAsync(socket!, target, step.Transparent is not null, deadline, closing).ConfigureAwait(false);
        }
        finally
        {
            if (result.Socket is null)
            {
                socket!.Dispose();
            }
        }

        return result;
    }

    // A failure before connect(2) is local: no backend is at fault.
    private static ConnectFailure? Open(
        SetupStep step, EndPoint target, PoolSettings pool, PortSupply ports, out Socket? socket, out TransparentFault? fault)
    {
        socket = null;
        fault = null;
        try
        {
            socket = SocketEndPoint.Open(target);
            SocketOptions.Apply(
                socket, pool.Keepalive, pool.UserTimeout, pool.CongestionControl, pool.SendBuffer, pool.ReceiveBuffer);
            if (step.Window is { } window && SourceBinding.LimitPorts(socket, window, ports) is { } refused)
            {
                return refused;
            }

            if (step.Transparent is { } client)
            {
                return SourceBinding.BindTransparent(socket, client, out fault);
            }

            return step.Source is { } source ? SourceBinding.Bind(socket, source) : null;
        }
        catch (SocketException e)
        {
            return ConnectErrors.OfSocket(e.SocketErrorCode);
        }
    }

    private static async Task<ConnectResult> ConnectAsync(
        Socket socket, EndPoint target, bool isTransparent, CancellationToken deadline, CancellationToken closing)
    {
        SocketError error = await PendingConnect.ConnectAsync(socket, target, deadline, closing).ConfigureAwait(false);
        bool isUnix = target.AddressFamily == AddressFamily.Unix;
        bool gone = ConnectErrors.IsOfConnected(error);
        if (error != SocketError.Success && !gone)
        {
            // Aborted by the deadline or by the close of the connection; the caller knows which.
            return error == SocketError.OperationAborted ? default : Failed(error, isUnix, isTransparent);
        }

        if (isUnix)
        {
            return new ConnectResult(socket, Endpoint.OfUnixClient(0), null, gone);
        }

        IPEndPoint local = LocalEndPoint(socket);

        // On loopback the kernel may choose the target's own port, on which no socket listens, and TCP's simultaneous open (RFC 9293, 3.5)
        // then connects the socket to itself.
        return local.Equals(target)
            ? new ConnectResult(null, default, ConnectFailure.Refused)
            : new ConnectResult(socket, Endpoint.From(local), null, gone);
    }

    private static ConnectResult Failed(SocketError error, bool isUnix, bool isTransparent)
    {
        ConnectFailure failure = isTransparent ? ConnectErrors.OfTransparentConnect(error) : ConnectErrors.OfConnect(error, isUnix);
        TransparentFault? fault = failure == ConnectFailure.NotTransparent ? new TransparentFault(IsRefused: false, error.ToString()) : null;
        return new ConnectResult(null, default, failure, Fault: fault);
    }

    // If the runtime took the connect for failed, it has not read the local address, so it is read from the kernel.
    private static IPEndPoint LocalEndPoint(Socket socket)
    {
        if (socket.LocalEndPoint is IPEndPoint known)
        {
            return known;
        }

        using var same = new Socket(new SafeSocketHandle(socket.Handle, ownsHandle: false));
        return (IPEndPoint)same.LocalEndPoint!;
    }
}
