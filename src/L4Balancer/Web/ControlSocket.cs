using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Web;

/// <summary>
/// A listening socket of the control plane, apart from the server that accepts on it: while the server pauses, or another process takes its place,
/// clients that connect wait in the kernel's queue. Any thread.
/// </summary>
/// <param name="socket">Bound; it need not listen yet.</param>
/// <param name="among">Of which it is one.</param>
internal sealed class ControlSocket(string name, Socket socket, ControlSockets among) : IDisposable
{
    /// <summary>Connections that wait to be accepted; that of Kestrel.</summary>
    private const int Backlog = 512;

    /// <summary>After a failed accept, of which only a shortage of descriptors or memory lasts.</summary>
    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(100);

    /// <summary>A stop does not wait longer for an accept that is under way.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Kept from being finalized.</summary>
    private static readonly ConcurrentBag<Socket> LeftOpen = [];

    /// <summary>Held by an accept while it waits, and through a pause.</summary>
    private readonly SemaphoreSlim _turn = new(1, 1);

    private readonly Lock _gate = new();
    private CancellationTokenSource _pause = new();
    private bool _isPaused;
    private bool _isClosed;

    /// <summary>What it serves: <c>metrics</c>; unique in a process.</summary>
    public string Name => name;

    /// <summary>Its number in this process.</summary>
    public int Descriptor { get; } = (int)socket.SafeHandle.DangerousGetHandle();

    /// <summary>The address, with the port that the kernel chose.</summary>
    public EndPoint Bound { get; } = socket.LocalEndPoint!;

    /// <summary>Clients can connect from now on; they wait until <see cref="AcceptAsync"/> is called.</summary>
    /// <exception cref="SocketException">The address has been taken meanwhile.</exception>
    public void Listen(int backlog = Backlog) => socket.Listen(backlog);

    /// <summary>Waits for a client, over all pauses. One caller at a time.</summary>
    /// <param name="take">Called with the client's socket before a pause can begin.</param>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public async Task<T> AcceptAsync<T>(Func<Socket, T> take, CancellationToken stop)
    {
        while (true)
        {
            await _turn.WaitAsync(stop);
            try
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _pause.Token);
                return take(await socket.AcceptAsync(either.Token));
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                // A pause begins: the next turn is its.
            }
            catch (ObjectDisposedException)
            {
                throw new OperationCanceledException();
            }
            catch (SocketException e) when (IsShortage(e))
            {
                await Task.Delay(AfterFault, stop);
            }
            catch (SocketException)
            {
                // The client has left already.
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    /// <summary>Accepts no more, from its completion on; the socket listens on.</summary>
    public async Task PauseAsync()
    {
        CancellationTokenSource pause;
        lock (_gate)
        {
            if (_isPaused)
            {
                return;
            }

            (_isPaused, pause) = (true, _pause);
        }

        await pause.CancelAsync();
        await _turn.WaitAsync();
    }

    /// <summary>Accepts again, first those that have waited. Nothing happens if there was no pause.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            if (!_isPaused)
            {
                return;
            }

            _isPaused = false;
            _pause.Dispose();
            _pause = new CancellationTokenSource();
        }

        _turn.Release();
    }

    /// <summary>
    /// Closes the socket, after the server's own end. If another process has it too, the descriptor is left to the end of this process, because the
    /// framework, where some call on the socket has not returned yet, disconnects it (connect(2) to AF_UNSPEC) before it closes its descriptor:
    /// the other process would listen no more.
    /// </summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
        }

        _pause.Cancel();
        bool isQuiet = _isPaused || _turn.Wait(Patience);
        among.Forget(Descriptor, this);
        if (among.AreShared)
        {
            LeftOpen.Add(socket);
        }
        else
        {
            socket.Dispose();
        }

        if (isQuiet)
        {
            _pause.Dispose();
            _turn.Dispose();
        }
    }

    // EMFILE, ENFILE, ENOBUFS, ENOMEM.
    private static bool IsShortage(SocketException e) =>
        e.SocketErrorCode is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.SocketError;
}
