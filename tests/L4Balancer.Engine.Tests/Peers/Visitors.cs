using System.Collections.Concurrent;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>
/// Clients that connect, ask, are answered and go, again and again until disposed, and remember what went wrong. They leave by a reset, so
/// that no port stays behind in TIME_WAIT.
/// </summary>
internal sealed class Visitors : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _failures = [];
    private readonly CancellationTokenSource _over = new();
    private readonly Task[] _all;
    private int _served;

    public Visitors(Endpoint endpoint, int count = 4) => _all = [.. Enumerable.Range(0, count).Select(_ => Task.Run(() => VisitAsync(endpoint)))];

    public IReadOnlyCollection<string> Failures => _failures;

    public int Served => Volatile.Read(ref _served);

    /// <summary>Until so many more were served.</summary>
    public Task MoreAsync(int count)
    {
        int enough = Served + count;
        return Patience.Until(() => Served >= enough || !_failures.IsEmpty, $"{count} more are served");
    }

    /// <summary>Lets those that are there end their visit.</summary>
    public async Task EndAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_all).Soon();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _over.Dispose();
    }

    private async Task VisitAsync(Endpoint endpoint)
    {
        while (!_over.IsCancellationRequested)
        {
            try
            {
                Peer peer = await Peer.ConnectAsync(endpoint);
                await peer.SendAsync(new byte[1]);
                await peer.ReceiveAsync(1);
                peer.Reset();
                Interlocked.Increment(ref _served);
            }
            catch (Exception e) when (e is SocketException or EndOfStreamException or TimeoutException)
            {
                _failures.Enqueue(e.Message);
            }
        }
    }
}
