using System.Text;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Tests.Discovery.RedisSentinel;

/// <summary>A Sentinel whose replicas are what a test says: any server can stand for a replica.</summary>
internal sealed class SentinelStub : IAsyncDisposable
{
    private const string Subscribed = "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n";

    private readonly StubStore _store;
    private string _replicas = "*0\r\n";
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SentinelStub() => _store = new StubStore(async (stream, stop) =>
    {
        var request = new byte[4096];
        int count;
        while ((count = await stream.ReadAsync(request, stop)) > 0)
        {
            if (!Encoding.UTF8.GetString(request, 0, count).Contains("PSUBSCRIBE", StringComparison.Ordinal))
            {
                string view = $"*2\r\n+127.0.0.1\r\n+1\r\n*4\r\n+flags\r\n+master\r\n+config-epoch\r\n+1\r\n{Volatile.Read(ref _replicas)}";
                await stream.WriteAsync(Encoding.UTF8.GetBytes(view), stop);
                continue;
            }

            for (string written = Subscribed; ; written = "*4\r\n+pmessage\r\n+*\r\n++slave\r\n+slave 127.0.0.1:2 127.0.0.1 2 @ chat 127.0.0.1 1\r\n")
            {
                Task changed = Volatile.Read(ref _changed).Task;
                await stream.WriteAsync(Encoding.UTF8.GetBytes(written), stop);
                await changed.WaitAsync(stop);
            }
        }
    });

    public string Server => _store.Server;

    /// <summary>Replaces the replicas, and tells whoever has subscribed.</summary>
    public Task WriteAsync(IReadOnlyList<DiscoveredBackend> backends)
    {
        string each = string.Concat(backends.Select(b => $"*6\r\n+ip\r\n+{b.Address.Address}\r\n+port\r\n+{b.Address.Port}\r\n+flags\r\n+slave\r\n"));
        Volatile.Write(ref _replicas, $"*{backends.Count}\r\n{each}");
        Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();
}
