using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests;

/// <summary>A backend on loopback that sends back what it gets, and closes when its peer does.</summary>
internal sealed class EchoPeer : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly ConcurrentBag<Task> _serving = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _accepted;

    public EchoPeer()
        : this(IPAddress.Loopback, 0)
    {
    }

    public EchoPeer(IPAddress address, int port)
    {
        _listener = new TcpListener(address, port);
        _listener.Start();
        Endpoint = (IPEndPoint)_listener.LocalEndpoint;
        _accepting = AcceptAsync();
    }

    public IPEndPoint Endpoint { get; }

    /// <summary>Connections so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>It is dead from then on; a second time does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_accepting.IsCompleted)
        {
            return;
        }

        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_serving);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_stop.Token);

                // Before it answers: who has an answer may ask how many have come.
                Interlocked.Increment(ref _accepted);
                _serving.Add(ServeAsync(socket));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // Disposed of.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            try
            {
                var chunk = new byte[16 * 1024];
                for (int count; (count = await socket.ReceiveAsync(chunk, _stop.Token)) > 0;)
                {
                    await socket.SendAsync(chunk.AsMemory(0, count), _stop.Token);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // A probe ends with a reset.
            }
        }
    }
}
