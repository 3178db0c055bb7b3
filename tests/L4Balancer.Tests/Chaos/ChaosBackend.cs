using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// One backend. It can be killed (its port is closed and every connection reset) and started again, and frozen: then it neither accepts
/// nor reads nor writes, as a process that was stopped; the kernel goes on to answer for it.
/// </summary>
internal sealed class ChaosBackend(IPEndPoint endpoint, Ledger ledger, CancellationToken end)
{
    private const int Backlog = 256;

    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<StreamEnd, bool> _open = new();
    private readonly ConcurrentDictionary<Socket, bool> _unnamed = new();
    private Socket? _listener;
    private TaskCompletionSource? _frozen;

    public IPEndPoint Endpoint => endpoint;

    public bool IsUp => Volatile.Read(ref _listener) is not null;

    /// <summary>Whether no connection is served that a client has named.</summary>
    public bool IsIdle => _open.IsEmpty;

    public bool IsFrozen => Volatile.Read(ref _frozen) is not null;

    public void Start()
    {
        Socket listener = Site.NewSocket();
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(endpoint);
        listener.Listen(Backlog);
        lock (_gate)
        {
            _listener = listener;
        }

        _ = AcceptAllAsync(listener);
    }

    public void Kill()
    {
        lock (_gate)
        {
            _listener?.Dispose();
            _listener = null;
        }

        ResetAll();
    }

    /// <summary>Resets every connection, and goes on to listen.</summary>
    public void ResetAll()
    {
        foreach ((StreamEnd open, _) in _open)
        {
            open.Reset();
        }

        foreach ((Socket socket, _) in _unnamed)
        {
            Reset(socket);
        }
    }

    public void Freeze()
    {
        lock (_gate)
        {
            _frozen ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public void Thaw()
    {
        lock (_gate)
        {
            _frozen?.SetResult();
            _frozen = null;
        }
    }

    private Task ThawedAsync()
    {
        lock (_gate)
        {
            return _frozen?.Task ?? Task.CompletedTask;
        }
    }

    private async Task AcceptAllAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                await ThawedAsync();
                Socket socket = await listener.AcceptAsync();
                await ThawedAsync();
                _ = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Killed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        socket.NoDelay = true;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(end);
        deadline.CancelAfter(Ledger.MostOfOne);
        if (await HeadAsync(socket, deadline.Token) is not ulong number)
        {
            return;
        }

        ConnectionPlan plan = ledger.PlanOf(number);
        var served = new StreamEnd(
            socket, plan.Backend, ByteStream.FromBackend(ledger.Seed, number), ByteStream.FromClient(ledger.Seed, number),
            new Random((int)number))
        {
            Received = ByteStream.HeadSize,
            Gate = ThawedAsync,
        };
        _open[served] = true;
        ledger.BackendBegins(number, served);
        if (!IsUp)
        {
            served.Reset();
        }

        await served.RunAsync(deadline.Token);
        ledger.BackendEnds(number, served, endpoint);
        _open.TryRemove(served, out _);
    }

    /// <returns>The number of the connection; null if it ended before that was known, and the socket is closed.</returns>
    private async Task<ulong?> HeadAsync(Socket socket, CancellationToken deadline)
    {
        _unnamed[socket] = true;
        try
        {
            byte[] head = new byte[ByteStream.HeadSize];
            int got = 0;
            while (got < head.Length)
            {
                await ThawedAsync();
                int count = await socket.ReceiveAsync(head.AsMemory(got), deadline);
                if (count == 0)
                {
                    socket.Shutdown(SocketShutdown.Send);
                    socket.Dispose();
                    return null;
                }

                got += count;
            }

            if (ByteStream.NumberIn(ledger.Seed, head) is ulong number)
            {
                return number;
            }

            ledger.Violations.Add($"backend {endpoint}: a connection begins with {Convert.ToHexString(head)}, which no client sent");
            Reset(socket);
            return null;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // A probe, a client that sends nothing and is reset, or this backend was killed.
            socket.Dispose();
            return null;
        }
        finally
        {
            _unnamed.TryRemove(socket, out _);
        }
    }

    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is over already.
        }

        socket.Dispose();
    }
}
