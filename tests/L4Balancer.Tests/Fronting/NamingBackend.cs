using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Fronting;

/// <summary>
/// Backends on one host, which answer whatever they get with a line: the address that the connection comes from, and thus the balancer.
/// </summary>
internal sealed class NamingBackend : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _tasks = [];

    private NamingBackend()
    {
    }

    public static async Task<NamingBackend> StartAsync(VirtualHost host, params IPEndPoint[] endpoints)
    {
        var backend = new NamingBackend();
        foreach (IPEndPoint endpoint in endpoints)
        {
            Socket listener = await host.NewSocketAsync(endpoint.AddressFamily);
            listener.Bind(endpoint);
            listener.Listen(1024);
            backend._tasks.Add(backend.AcceptAsync(listener));
        }

        return backend;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_tasks);
        _stop.Dispose();
    }

    private async Task AcceptAsync(Socket listener)
    {
        using (listener)
        {
            try
            {
                while (true)
                {
                    _tasks.Add(ServeAsync(await listener.AcceptAsync(_stop.Token)));
                }
            }
            catch (OperationCanceledException)
            {
                // Disposed of.
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            try
            {
                byte[] name = Encoding.ASCII.GetBytes($"{((IPEndPoint)socket.RemoteEndPoint!).Address}\n");
                var chunk = new byte[256];
                while (await socket.ReceiveAsync(chunk, _stop.Token) > 0)
                {
                    await socket.SendAsync(name, _stop.Token);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // Probes end with a reset.
            }
        }
    }
}
