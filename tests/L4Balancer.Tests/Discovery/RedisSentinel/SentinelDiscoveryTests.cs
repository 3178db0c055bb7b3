using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Discovery.RedisSentinel;

namespace L4Balancer.Tests.Discovery.RedisSentinel;

/// <summary>A real daemon whose backend is the master that a real Sentinel knows.</summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[NonParallelizable]
internal sealed class SentinelDiscoveryTests
{
    private const int ConnectsPerSecond = 500;

    [Test]
    public async Task Failover_under_load_refuses_nobody_and_leaves_the_former_master_within_a_second()
    {
        await using RedisServers redis = await RedisServers.StartAsync(replicas: 1, sentinels: 1);
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", DaemonProcess.ConfigFileWith($"""
            [balancer]
            shutdown_grace = "0s"
            [[listeners]]
            name = "redis"
            bind = ["127.0.0.1:0"]
            pool = "redis"
            [[pools]]
            name = "redis"
            on_backend_removed = "close"
              [pools.discovery]
              redis_sentinel = ["{redis.Sentinels[0].Server}"]
              service = "{RedisServers.Service}"
            """));
        await daemon.LineWithAsync("(version \"epoch 0\")");
        IPEndPoint front = await daemon.ListenerAsync("redis");
        await daemon.ReadyAsync();
        using TcpClient held = await Talk.ConnectAsync(front);
        Assert.That(await PortAsync(held), Is.EqualTo(redis.Data[0].Port));

        var answers = new ConcurrentQueue<(DateTime Began, int Port)>();
        var failures = new ConcurrentQueue<(DateTime Began, string Fault)>();
        using var stop = new CancellationTokenSource();
        Task load = LoadAsync(front, answers, failures, stop.Token);
        await RedisServers.UntilAsync(() => Task.FromResult(answers.Count > ConnectsPerSecond));
        DateTime asked = DateTime.UtcNow;
        await RedisServers.AskAsync(redis.Sentinels[0].Port, "SENTINEL", "FAILOVER", RedisServers.Service);
        string line = await daemon.LineWithAsync("(version \"epoch 1\")");
        DateTime believed = DateTime.Parse(
            line.AsSpan(0, line.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal);
        DateTime late = believed.AddSeconds(1);
        await RedisServers.UntilAsync(() => Task.FromResult(answers.Count(a => a.Began > late) > ConnectsPerSecond));
        await stop.CancelAsync();
        await load;

        Assert.That(answers.Where(a => a.Began > late).Select(a => a.Port).Distinct(), Is.EqualTo([redis.Data[1].Port]));
        Assert.That(answers.Where(a => a.Began < asked).Select(a => a.Port).Distinct(), Is.EqualTo([redis.Data[0].Port]));

        // A Sentinel has the master that it demotes close all its clients (CLIENT KILL TYPE normal), and those fail that are being served then.
        Assert.That(failures.Where(f => f.Began < asked.AddMilliseconds(-100) || f.Began > late), Is.Empty);
        Assert.That(failures, Has.Count.LessThan(10), $"of {answers.Count}");
        await TestContext.Out.WriteLineAsync(
            $"{answers.Count} connects, {failures.Count} failed; the latest to the former master came {LatestMs(answers, redis.Data[0].Port, believed)} ms after the next one was believed");
        Assert.That(daemon.Output.Where(l => l.Contains("reason=connect_", StringComparison.Ordinal) || l.Contains("reason=no_backend", StringComparison.Ordinal)), Is.Empty);
        Assert.That(await held.GetStream().ReadAsync(new byte[1]), Is.Zero, "the connection to the former master is closed");
    }

    [Test]
    public async Task Under_load_replicas_are_added_removed_and_drained()
    {
        await using var sentinel = new SentinelStub();
        string discovery = $"redis_sentinel = [\"{sentinel.Server}\"]\nservice = \"chat\"\nrole = \"replica\"";
        await using DiscoveryLoadScene scene = await DiscoveryLoadScene.StartAsync(discovery, sentinel.WriteAsync);

        await scene.AddReweighRemoveAndDrainAsync(hasWeights: false);
    }

    private static long LatestMs(IEnumerable<(DateTime Began, int Port)> answers, int port, DateTime believed) =>
        (long)Math.Max(0, answers.Where(a => a.Port == port).Max(a => a.Began - believed).TotalMilliseconds);

    private static async Task LoadAsync(
        IPEndPoint front, ConcurrentQueue<(DateTime Began, int Port)> answers, ConcurrentQueue<(DateTime Began, string Fault)> failures, CancellationToken stop)
    {
        var clients = new List<Task>();
        var elapsed = Stopwatch.StartNew();
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!stop.IsCancellationRequested)
        {
            while (clients.Count < elapsed.Elapsed.TotalSeconds * ConnectsPerSecond)
            {
                clients.Add(Task.Run(() => ComeAsync(front, answers, failures), CancellationToken.None));
            }

            await ticks.WaitForNextTickAsync(CancellationToken.None);
        }

        await Task.WhenAll(clients);
    }

    private static async Task ComeAsync(
        IPEndPoint front, ConcurrentQueue<(DateTime Began, int Port)> answers, ConcurrentQueue<(DateTime Began, string Fault)> failures)
    {
        DateTime began = DateTime.UtcNow;
        try
        {
            using TcpClient client = await Talk.ConnectAsync(front);
            answers.Enqueue((began, await PortAsync(client)));
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            failures.Enqueue((began, e.Message));
        }
    }

    // The port of the server that answers.
    private static async Task<int> PortAsync(TcpClient client)
    {
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync("CONFIG GET port\r\n"u8.ToArray());
        var received = new byte[256];
        int count = 0;
        while (true)
        {
            int read = await stream.ReadAsync(received.AsMemory(count)).AsTask().WaitAsync(DaemonProcess.Deadline);
            count += read > 0 ? read : throw new EndOfStreamException();
            if (RespValue.TryParse(received.AsSpan(0, count), out RespValue value, out _)
                == RespOutcome.Parsed)
            {
                return int.Parse(value.Items[1].Text, CultureInfo.InvariantCulture);
            }
        }
    }
}
