using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Microsoft.Extensions.ObjectPool;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// A reusable connect(2) whose outcome is a value. When ports are scarce many connects fail, and the exception that the framework's own
/// task then throws costs more than the search for another port.
/// </summary>
internal sealed class PendingConnect() : SocketAsyncEventArgs(true), IValueTaskSource<SocketError>
{
    private static readonly ObjectPool<PendingConnect> Unused = ObjectPool.Create<PendingConnect>();

    private ManualResetValueTaskSourceCore<SocketError> _answer;

    /// <returns>
    /// <see cref="SocketError.OperationAborted"/> if the token was cancelled: the outcome of the connect is unknown, and the socket may be
    /// closed.
    /// </returns>
    public static async ValueTask<SocketError> ConnectAsync(Socket socket, IPEndPoint target, CancellationToken token)
    {
        PendingConnect connect = Unused.Get();
        connect._answer.Reset();
        connect.RemoteEndPoint = target;
        SocketError error = Begin(socket, connect) is { } atOnce ? atOnce : await connect.WaitAsync(socket, token).ConfigureAwait(false);
        Unused.Return(connect);
        return token.IsCancellationRequested ? SocketError.OperationAborted : error;
    }

    protected override void OnCompleted(SocketAsyncEventArgs e) => _answer.SetResult(SocketError);

    SocketError IValueTaskSource<SocketError>.GetResult(short token) => _answer.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<SocketError>.GetStatus(short token) => _answer.GetStatus(token);

    void IValueTaskSource<SocketError>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answer.OnCompleted(continuation, state, token, flags);

    /// <returns>Null if the connect is in progress.</returns>
    private static SocketError? Begin(Socket socket, PendingConnect connect)
    {
        try
        {
            return socket.ConnectAsync(connect) ? null : connect.SocketError;
        }
        catch (SocketException e)
        {
            // Thrown on platforms that bind before they connect, if no port is free.
            return e.SocketErrorCode;
        }
    }

    // Only closing the socket ends a connect early.
    private async ValueTask<SocketError> WaitAsync(Socket socket, CancellationToken token)
    {
        using CancellationTokenRegistration closing = token.UnsafeRegister(static s => ((Socket)s!).Dispose(), socket);
        return await new ValueTask<SocketError>(this, _answer.Version).ConfigureAwait(false);
    }
}
