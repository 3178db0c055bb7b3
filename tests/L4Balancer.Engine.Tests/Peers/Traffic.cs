namespace L4Balancer.Engine.Tests.Peers;

/// <summary>Bytes over connections until it is ended; every one of them is checked. What goes wrong fails <see cref="EndAsync"/>.</summary>
internal sealed class Traffic : IAsyncDisposable
{
    private const int Chunk = 1024 * 1024;

    /// <summary>A stream rarely waits, so it keeps a thread of the pool: what the test measures would wait for one.</summary>
    private const int Threads = 24;

    private readonly (int Workers, int Ports) _before;
    private readonly List<Task> _all = [];
    private readonly CancellationTokenSource _over = new();
    private long _received;
    private int _seed;

    public Traffic()
    {
        ThreadPool.GetMinThreads(out int workers, out int ports);
        _before = (workers, ports);
        ThreadPool.SetMinThreads(Math.Max(workers, Threads), ports);
    }

    /// <summary>Sends in bulk, one way.</summary>
    public void Stream(Peer from, Peer to)
    {
        int seed = ++_seed;
        _all.Add(Task.Run(() => StreamAsync(from, to, seed)));
    }

    /// <summary>Messages there and back, at both ends of which the test is.</summary>
    public void PingPong(Peer from, Peer to)
    {
        _all.Add(Task.Run(() => EchoAsync(to)));
        Ask(from, pause: TimeSpan.Zero);
    }

    /// <summary>Messages to a backend that echoes.</summary>
    /// <param name="pause">Between two messages, at most.</param>
    public void Ask(Peer from, TimeSpan pause)
    {
        int seed = ++_seed;
        _all.Add(Task.Run(() => AskAsync(from, pause, seed)));
    }

    /// <summary>Until so many more bytes have arrived.</summary>
    public Task MoreAsync(long bytes)
    {
        long enough = Volatile.Read(ref _received) + bytes;
        return Patience.Until(() => Volatile.Read(ref _received) >= enough || _all.Exists(t => t.IsFaulted), $"{bytes} more bytes arrive");
    }

    /// <summary>Ends every stream in good order, and checks what has arrived.</summary>
    public async Task EndAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_all).WaitAsync(2 * Patience.Limit);
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _over.Dispose();
        ThreadPool.SetMinThreads(_before.Workers, _before.Ports);
    }

    private async Task StreamAsync(Peer from, Peer to, int seed)
    {
        Task<Received> receiving = to.ReceiveAllAsync(count => Interlocked.Add(ref _received, count));
        using var pattern = new Pattern(seed);
        while (!_over.IsCancellationRequested)
        {
            await from.SendAsync(pattern.Next(Chunk));
        }

        from.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(pattern.Taken, pattern.Digest, StreamEnd.Fin)));
    }

    private async Task AskAsync(Peer peer, TimeSpan pause, int seed)
    {
        var random = new Random(seed);
        byte[] sent = new byte[512];
        byte[] received = new byte[sent.Length];
        while (!_over.IsCancellationRequested)
        {
            random.NextBytes(sent);
            await peer.SendAsync(sent);
            await peer.ReceiveAsync(received);
            Assert.That(received.AsSpan().SequenceEqual(sent), Is.True, "the answer is what was asked");
            Interlocked.Add(ref _received, received.Length);
            if (pause > TimeSpan.Zero)
            {
                // The pace of a client that talks now and then.
                await Task.Delay(pause * random.NextDouble(), _over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        peer.Finish();
        Assert.That((await peer.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
    }

    private static async Task EchoAsync(Peer peer)
    {
        byte[] buffer = new byte[4096];
        while (await peer.Socket.ReceiveAsync(buffer.AsMemory()).Soon() is > 0 and var count)
        {
            await peer.SendAsync(buffer.AsMemory(0, count));
        }

        peer.Finish();
    }
}
