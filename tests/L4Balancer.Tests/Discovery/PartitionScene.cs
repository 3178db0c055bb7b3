using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Tests.Admin;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery;

/// <summary>
/// A daemon in a network namespace, from which the packets to and from a store on this host are dropped for a while (nft), under a load of
/// connects. Its backends answer <c>PING</c> with anything.
/// </summary>
internal sealed class PartitionScene : IAsyncDisposable
{
    private const int ConnectsPerSecond = 50;

    private readonly SocketFolder _folder;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<TcpClient> _established = [];
    private readonly CutNetwork _network;
    private readonly int _port;
    private readonly DaemonProcess _daemon;
    private IPEndPoint _front = null!;
    private Task _load = Task.CompletedTask;
    private int _served;

    private PartitionScene(CutNetwork network, int port, DaemonProcess daemon, SocketFolder folder) =>
        (_network, _port, _daemon, _folder) = (network, port, daemon, folder);

    /// <summary>Starts the daemon, the load and 16 connections that stay.</summary>
    /// <param name="port">The store's.</param>
    /// <param name="discovery">The lines of <c>[pools.discovery]</c>.</param>
    /// <param name="backends">How many the store has.</param>
    public static async Task<PartitionScene> StartAsync(CutNetwork network, int port, string discovery, int backends)
    {
        var folder = new SocketFolder();
        string config = $$"""
            [balancer]
            shutdown_grace = "0s"
            [admin]
            socket = "{{folder.SocketPath}}"
            [[listeners]]
            name = "wss"
            bind = ["{{network.Far}}:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            balance = "round-robin"
            health = { interval = "1s", fast_interval = "100ms", timeout = "30s" }
              [pools.discovery]
              {{discovery}}
            """;
        DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(), network.Wrapper, "run", "--config", DaemonProcess.ConfigFileWith(config));
        var scene = new PartitionScene(network, port, daemon, folder);
        try
        {
            await daemon.LineWithAsync($"{backends} added, 0 removed, 0 changed");
            scene._front = await daemon.ListenerAsync("wss");
            await daemon.ReadyAsync();
            await scene.UpAsync(backends);
            for (int i = 0; i < 16; i++)
            {
                scene._established.Add(await PingAsync(scene._front));
            }

            scene._load = scene.LoadAsync();
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    /// <summary>Cuts the daemon off from the store until it says so; while it is, the store changes, and nothing else does.</summary>
    /// <param name="change">Done to the store meanwhile.</param>
    /// <param name="difference">What the daemon says of it afterwards.</param>
    /// <param name="backends">How many are up then.</param>
    public async Task CutAsync(Func<Task> change, string difference, int backends)
    {
        int before = Said("backends (version ").Length;
        int up = await CountUpAsync();
        int answers = Said("answers again").Length;
        var since = Stopwatch.StartNew();
        _network.Cut(_port);
        await _daemon.LineWithAsync("says nothing");
        TimeSpan noticed = since.Elapsed;
        await change();
        await ServedAsync(ConnectsPerSecond);
        Assert.That(Said("backends (version "), Has.Length.EqualTo(before), "what is believed has changed");
        Assert.That(await CountUpAsync(), Is.EqualTo(up));
        foreach (TcpClient client in _established)
        {
            await PingAsync(client);
        }

        since.Restart();
        _network.Mend();
        await _daemon.LineWithAsync("answers again", answers + 1);
        string line = await _daemon.LineWithAsync("backends (version ", before + 1);
        Assert.That(line, Does.EndWith(difference));
        TimeSpan back = since.Elapsed;
        await UpAsync(backends);
        await ServedAsync(ConnectsPerSecond / 2);
        foreach (TcpClient client in _established)
        {
            await PingAsync(client);
        }

        await _stop.CancelAsync();
        await _load;
        await TestContext.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"noticed after {noticed.TotalSeconds:0.0} s, the change of meanwhile is believed {back.TotalSeconds:0.0} s after the end; {_served} connects, none failed; {_established.Count} established ones kept"));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _load.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _established.ForEach(static c => c.Dispose());
        await _daemon.DisposeAsync();
        _folder.Dispose();
        _stop.Dispose();
    }

    private async Task LoadAsync()
    {
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / ConnectsPerSecond));
        while (!_stop.IsCancellationRequested)
        {
            (await PingAsync(_front)).Dispose();
            Interlocked.Increment(ref _served);
            await pace.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    // Fails as soon as a connect has failed.
    private async Task ServedAsync(int count)
    {
        int begun = Volatile.Read(ref _served);
        var waited = Stopwatch.StartNew();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (Volatile.Read(ref _served) - begun < count)
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline));
            if (_load.IsCompleted)
            {
                await _load;
            }

            await looks.WaitForNextTickAsync();
        }
    }

    private async Task UpAsync(int backends)
    {
        var waited = Stopwatch.StartNew();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (await CountUpAsync() != backends)
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"not {backends} backends are up\n{string.Join('\n', _daemon.Output)}");
            await looks.WaitForNextTickAsync();
        }
    }

    private async Task<int> CountUpAsync() =>
        (await _folder.GetAsync("/v1/status")).GetProperty("pools").EnumerateArray().Sum(static p => p.GetProperty("up").GetInt32());

    private string[] Said(string text) => [.. _daemon.Output.Where(l => l.Contains(text, StringComparison.Ordinal))];

    private static async Task<TcpClient> PingAsync(IPEndPoint front)
    {
        var client = new TcpClient();
        try
        {
            using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
            await client.ConnectAsync(front, deadline.Token);
            await PingAsync(client);
            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    private static async Task PingAsync(TcpClient client)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await client.GetStream().WriteAsync("PING\r\n"u8.ToArray(), deadline.Token);
        Assert.That(await client.GetStream().ReadAsync(new byte[256], deadline.Token), Is.Positive, "it is closed");
    }
}
