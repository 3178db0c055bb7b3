using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Pacing;

/// <summary>Clients that come back at once when they are closed, as those of WebSockets do.</summary>
internal sealed class LoyalClients : IAsyncDisposable
{
    private readonly CancellationTokenSource _over = new();
    private readonly List<Task> _all = [];
    private int _resets;

    /// <summary>Ends of connections that were no FIN.</summary>
    public int Resets => Volatile.Read(ref _resets);

    public async Task ComeAsync(IPEndPoint listener, int count)
    {
        for (int i = 0; i < count; i++)
        {
            TcpClient first = await Talk.ConnectAsync(listener);
            _all.Add(Task.Run(() => StayAsync(first, listener)));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_all);
        _over.Dispose();
    }

    private async Task StayAsync(TcpClient first, IPEndPoint listener)
    {
        TcpClient client = first;
        try
        {
            while (true)
            {
                try
                {
                    await client.Client.ReceiveAsync(new byte[1].AsMemory(), _over.Token);
                }
                catch (SocketException)
                {
                    Interlocked.Increment(ref _resets);
                }

                client.Dispose();
                client = new TcpClient();
                await client.ConnectAsync(listener, _over.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            client.Dispose();
        }
    }
}
