using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Microsoft.Extensions.ObjectPool;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// connect(2) whose end is a value, used again and again for others. Where ports are few a connect is often in vain, and the exception
/// that the framework's own task makes of that costs more than the search for another port.
/// </summary>
internal sealed class PendingConnect() : SocketAsyncEventArgs(true), IValueTaskSource<SocketError>
{
    private static readonly ObjectPool<PendingConnect> Unused = ObjectPool.Create<PendingConnect>();

    private ManualResetValueTaskSourceCore<SocketError> _answer;

    /// <returns>
    /// <see cref="SocketError.OperationAborted"/> where the token was cancelled: nothing can be said of the connect, and the socket may be
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

    /// <returns>Null where the connect is under way.</returns>
    private static SocketError? Begin(Socket socket, PendingConnect connect)
    {
        try
        {
            return socket.ConnectAsync(connect) ? null : connect.SocketError;
        }
        catch (SocketException e)
        {
            // Where the platform binds before it connects, and finds no port.
            return e.SocketErrorCode;
        }
    }

    // A close is all that ends a connect before its time.
    private async ValueTask<SocketError> WaitAsync(Socket socket, CancellationToken token)
    {
        using CancellationTokenRegistration closing = token.UnsafeRegister(static s => ((Socket)s!).Dispose(), socket);
        return await new ValueTask<SocketError>(this, _answer.Version).ConfigureAwait(false);
    }
}
