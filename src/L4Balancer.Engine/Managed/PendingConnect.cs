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
    private Socket? _socket;
    private volatile bool _isAborted;

    /// <param name="deadline">Believed only if the kernel has no outcome yet: this process may have stood still over it.</param>
    /// <param name="closing">Ends the connect in any case.</param>
    /// <returns>
    /// <see cref="SocketError.OperationAborted"/> if a token ended the connect: its outcome is unknown, and the socket may be closed.
    /// </returns>
    public static async ValueTask<SocketError> ConnectAsync(
        Socket socket, EndPoint target, CancellationToken deadline, CancellationToken closing)
    {
        PendingConnect connect = Unused.Get();
        connect._answer.Reset();
        connect._isAborted = false;
        connect._socket = socket;
        connect.RemoteEndPoint = target;
        SocketError error = Begin(socket, connect) is { } atOnce ? atOnce : await connect.WaitAsync(deadline, closing).ConfigureAwait(false);
        bool isAborted = connect._isAborted || closing.IsCancellationRequested;
        connect._socket = null;
        Unused.Return(connect);
        return isAborted ? SocketError.OperationAborted : error;
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
    private async ValueTask<SocketError> WaitAsync(CancellationToken deadline, CancellationToken closing)
    {
        using CancellationTokenRegistration late = deadline.UnsafeRegister(static c => ((PendingConnect)c!).DeadlinePassed(), this);
        using CancellationTokenRegistration closed = closing.UnsafeRegister(static c => ((PendingConnect)c!).Abort(), this);
        return await new ValueTask<SocketError>(this, _answer.Version).ConfigureAwait(false);
    }

    private void DeadlinePassed()
    {
        if (!HasOutcome())
        {
            Abort();
        }
    }

    private void Abort()
    {
        _isAborted = true;
        _socket?.Dispose();
    }

    // The runtime reports it in a moment.
    private bool HasOutcome()
    {
        try
        {
            return _socket is { } socket && (socket.Poll(TimeSpan.Zero, SelectMode.SelectWrite) || socket.Poll(TimeSpan.Zero, SelectMode.SelectError));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }
}
