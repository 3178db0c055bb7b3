using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Discovery;

/// <summary>A store that answers what a test says: each connection is served by the same function until it returns.</summary>
internal sealed class StubStore : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<TcpClient> _clients = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    public StubStore(Func<NetworkStream, CancellationToken, Task> serve)
    {
        _listener.Start();
        Server = _listener.LocalEndpoint.ToString()!;
        _accepting = AcceptAsync(serve);
    }

    public string Server { get; }

    /// <summary>Passes all bytes between a client and another store, until it is told to keep silence: then as after an nft DROP.</summary>
    public static StubStore Relay(int port, Func<bool> isSilent) => new(async (client, stop) =>
    {
        using var upstream = new TcpClient();
        await upstream.ConnectAsync(IPAddress.Loopback, port, stop);
        await Task.WhenAny(
            PassAsync(client, upstream.GetStream(), isSilent, stop), PassAsync(upstream.GetStream(), client, isSilent, stop));
    });

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        foreach (TcpClient client in _clients)
        {
            client.Dispose();
        }

        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync(Func<NetworkStream, CancellationToken, Task> serve)
    {
        while (true)
        {
            TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _clients.Add(client);
            _ = ServeAsync(client, serve);
        }
    }

    private async Task ServeAsync(TcpClient client, Func<NetworkStream, CancellationToken, Task> serve)
    {
        try
        {
            await serve(client.GetStream(), _stop.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The client has gone, or the test has ended.
        }

        client.Dispose();
    }

    private static async Task PassAsync(NetworkStream from, NetworkStream to, Func<bool> isSilent, CancellationToken stop)
    {
        var buffer = new byte[16 * 1024];
        int count;
        while ((count = await from.ReadAsync(buffer, stop)) > 0)
        {
            if (!isSilent())
            {
                await to.WriteAsync(buffer.AsMemory(0, count), stop);
            }
        }

        // What ends behind a partition is not seen either.
        while (isSilent())
        {
            await Task.Delay(20, stop);
        }
    }
}
