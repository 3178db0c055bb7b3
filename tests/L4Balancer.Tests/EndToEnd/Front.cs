using System.Net;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>The daemon with one listener before one pool of backends on loopback.</summary>
internal sealed class Front : IAsyncDisposable
{
    private readonly DaemonProcess _daemon;

    private Front(DaemonProcess daemon, IPEndPoint listener)
    {
        _daemon = daemon;
        Listener = listener;
    }

    public IPEndPoint Listener { get; }

    /// <param name="backends">Names and ports.</param>
    /// <param name="pool">Further lines of the pool, its health table included.</param>
    public static async Task<Front> StartAsync(IEnumerable<(string Name, int Port)> backends, string pool = "")
    {
        string toml = $"""
            [metrics]
            listen = "127.0.0.1:0"

            [[listeners]]
            name = "front"
            bind = ["127.0.0.1:0"]
            pool = "peers"

            [[pools]]
            name = "peers"
            {pool}

            """;
        toml += string.Concat(backends.Select(b => $"[[pools.backends]]\nname = \"{b.Name}\"\naddress = \"127.0.0.1:{b.Port}\"\n"));
        DaemonProcess daemon = DaemonProcess.Run(toml);
        await daemon.ReadyAsync();
        return new Front(daemon, await daemon.ListenerAsync("front"));
    }

    /// <summary>The sum of a metric's series for one backend.</summary>
    public async Task<double> OfBackendAsync(string metric, string backend, CancellationToken cancel)
    {
        using var http = new HttpClient();
        string text = await http.GetStringAsync(await _daemon.MetricsAsync(), cancel);
        return new Exposition(text).Sum(metric, $"backend={backend}");
    }

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();
}
