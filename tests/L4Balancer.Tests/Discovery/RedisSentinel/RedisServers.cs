using System.Globalization;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Discovery.RedisSentinel;

namespace L4Balancer.Tests.Discovery.RedisSentinel;

/// <summary>A master, its replicas and the Sentinels that watch them, each a process. Disposal kills all.</summary>
internal sealed class RedisServers : IAsyncDisposable
{
    public const string Service = "chat";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-redis-");
    private readonly string _program;
    private readonly string _host;

    private RedisServers(string host)
    {
        _host = host;
        _program = Path.Combine(_folder.FullName, "redis-server");
        File.CreateSymbolicLink(_program, Program()!);
    }

    /// <summary>The first is the master at the start.</summary>
    public List<StoreProcess> Data { get; } = [];

    public List<StoreProcess> Sentinels { get; } = [];

    /// <summary>Skips the test where there is no Redis.</summary>
    public static void Require()
    {
        if (Program() is null)
        {
            Assert.Ignore("no Redis (Debian's package redis-tools, see .ci/test-deps)");
        }
    }

    /// <summary>Starts all, and waits until every Sentinel knows the others and every replica.</summary>
    /// <param name="more">Further lines of the configuration of each Sentinel.</param>
    public static Task<RedisServers> StartAsync(int replicas, int sentinels, params string[] more) => StartAsync("127.0.0.1", replicas, sentinels, more);

    /// <param name="host">The address of this host at which all listen.</param>
    public static async Task<RedisServers> StartAsync(string host, int replicas, int sentinels, params string[] more)
    {
        Require();
        var servers = new RedisServers(host);
        int[] ports = StoreProcess.FreePorts(1 + replicas + sentinels);
        for (int i = 0; i <= replicas; i++)
        {
            servers.Data.Add(servers.DataServer(ports[i]));
        }

        for (int i = 0; i < sentinels; i++)
        {
            int port = ports[1 + replicas + i];
            string file = Path.Combine(servers._folder.FullName, $"sentinel{i}.conf");
            await File.WriteAllLinesAsync(
                file,
                [
                    $"port {port}", $"bind {host}", "protected-mode no", $"dir {servers._folder.FullName}",
                    $"sentinel monitor {Service} {host} {ports[0]} {(sentinels / 2) + 1}", $"sentinel down-after-milliseconds {Service} 500",
                    $"sentinel failover-timeout {Service} 3000", .. more,
                ]);
            servers.Sentinels.Add(servers.Process(port, [file, "--sentinel"]));
        }

        foreach (StoreProcess process in servers.Data.Concat(servers.Sentinels))
        {
            await process.StartAsync();
        }

        await servers.AgreedAsync(replicas, sentinels);
        return servers;
    }

    /// <summary>Starts one more replica, and waits until every Sentinel knows it.</summary>
    public async Task AddReplicaAsync()
    {
        Data.Add(DataServer(StoreProcess.FreePorts(1)[0]));
        await Data[^1].StartAsync();
        await AgreedAsync(Data.Count - 1, Sentinels.Count);
    }

    public async Task AgreedAsync(int replicas, int sentinels)
    {
        foreach (StoreProcess sentinel in Sentinels.Where(s => s.IsRunning))
        {
            await UntilAsync(async () =>
            {
                RespValue master = await AskAsync(sentinel.Server, "SENTINEL", "MASTER", Service);
                return master.Kind == RespKind.Error || (Field(master, "num-slaves") >= replicas && Field(master, "num-other-sentinels") >= sentinels - 1);
            });
        }
    }

    /// <summary>Asks a server without a password.</summary>
    public static Task<RespValue> AskAsync(int port, params string[] command) => AskAsync($"127.0.0.1:{port}", command);

    /// <param name="server">Its address and port.</param>
    public static async Task<RespValue> AskAsync(string server, params string[] command)
    {
        using var client = new TcpClient();
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await client.ConnectAsync(IPEndPoint.Parse(server), deadline.Token);
        await client.GetStream().WriteAsync(RespValue.Command(command), deadline.Token);
        var received = new byte[RespValue.Longest];
        int count = 0;
        while (true)
        {
            int read = await client.GetStream().ReadAsync(received.AsMemory(count), deadline.Token);
            Assert.That(read, Is.Positive);
            count += read;
            if (RespValue.TryParse(received.AsSpan(0, count), out RespValue value, out _) == RespOutcome.Parsed)
            {
                return value;
            }
        }
    }

    public static async Task UntilAsync(Func<Task<bool>> isTrue)
    {
        var waited = System.Diagnostics.Stopwatch.StartNew();
        while (!await isTrue())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline));
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (StoreProcess process in Sentinels.Concat(Data))
        {
            await process.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private static int Field(RespValue reply, string name)
    {
        int at = reply.Items.Select(i => i.Text).ToList().IndexOf(name);
        return at < 0 ? -1 : int.Parse(reply.Items[at + 1].Text, CultureInfo.InvariantCulture);
    }

    private string[] InFolder => ["--dir", _folder.FullName];

    private StoreProcess Process(int port, string[] arguments) => new(_program, arguments, port, _host);

    // The first one is the master.
    private StoreProcess DataServer(int port)
    {
        string[] role = Data.Count == 0 ? [] : ["--replicaof", _host, $"{Data[0].Port}"];
        return Process(
            port,
            [
                "--port", $"{port}", "--bind", _host, "--protected-mode", "no", "--save", "", "--repl-diskless-sync-delay", "0", .. InFolder, .. role,
            ]);
    }

    // One executable is all programs, by its name; the package of the tools starts no service, those of the others do.
    private static string? Program() =>
        new[] { "redis-server", "redis-check-rdb" }
            .SelectMany(name => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => Path.Combine(p, name)))
            .FirstOrDefault(File.Exists);
}
