using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Timing;

namespace L4Balancer.Tests.Recovery;

/// <summary>What goes wrong while a daemon goes on with the connections of another one.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[Category(DaemonProcess.Category)]
[CancelAfter(240_000)]
[Parallelizable(ParallelScope.All)]
internal sealed class CrashFaultTests
{
    [Test]
    public async Task Heirs_that_are_killed_in_the_middle_cost_no_connection()
    {
        const int many = 60;
        await using var scene = new CrashScene();
        DaemonProcess daemon = await scene.StartAsync();
        TcpClient[] clients = await scene.ConnectAsync(many);
        await scene.IdsAsync();
        await scene.AskAsync("drain", "chat/ws1");
        await CrashScene.KillAsync(daemon);

        // At different points: before it has a ledger, when it listens, while it takes connections, and when it has said so.
        foreach (string line in (string[])["has ended without stopping", "listening on ", "admin API on ", "go on here"])
        {
            daemon = scene.Begin();
            await daemon.LineWithAsync(line);
            await CrashScene.KillAsync(daemon);

            // This is about where heirs are killed. How many may fail is After_three_heirs_have_failed...: the count starts again.
            File.Delete(scene.HeirsPath);
        }

        daemon = await scene.StartAsync();
        for (int i = 0; i < many; i++)
        {
            Assert.That(await Talk.EchoAsync(clients[i], $"on {i}"), Is.EqualTo($"on {i}"));
        }

        Assert.That(await scene.IdsAsync(), Has.Length.EqualTo(many));
        Assert.That(Directory.GetFiles(scene.KeeperFolder, "keeper-*"), Has.Length.EqualTo(1));
        Assert.That((await scene.GetAsync("/v1/backends")).ToString(), Does.Contain("drain"));
    }

    [Test]
    public async Task File_of_a_UNIX_listener_is_the_heirs_to_remove()
    {
        await using var scene = new CrashScene();
        string path = Path.Combine(Path.GetDirectoryName(scene.SocketPath)!, "chat.sock");
        scene.More = $"""
            [[listeners]]
            name = "local"
            bind = ["unix:{path}"]
            pool = "chat"
            """;
        await CrashScene.KillAsync(await scene.StartAsync());
        DaemonProcess heir = await scene.StartAsync();
        Assert.That(File.Exists(path));
        heir.Signal(DaemonProcess.SIGTERM);
        await heir.ExitAsync();
        Assert.That(File.Exists(path), Is.False);
    }

    [Test]
    public async Task Ledger_that_cannot_be_read_costs_the_connections_and_not_the_ports()
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient client = (await scene.ConnectAsync(1))[0];
        await CrashScene.KillAsync(first);
        await using (FileStream ledger = File.OpenWrite(Directory.GetFiles(scene.KeeperFolder, "ledger-*").Single()))
        {
            await ledger.WriteAsync(Enumerable.Repeat((byte)0xA5, 4096).ToArray());
        }

        TcpClient late = await scene.ConnectAsync();
        DaemonProcess heir = await scene.StartAsync();
        Assert.That(heir.Output, Has.Some.Contains($"the ledger of process {first.Id} cannot be used (WrongMagic)"));
        Assert.That(await EndOfAsync(client), Is.EqualTo(SocketError.ConnectionReset));
        Assert.That(await Talk.EchoAsync(late, "late"), Is.EqualTo("late"));
    }

    [Test]
    public async Task Surplus_connections_are_reset_and_logged()
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        await scene.ConnectAsync(20);
        await scene.IdsAsync();
        await CrashScene.KillAsync(first);
        scene.Settings = "max_connections = 12";
        DaemonProcess heir = await scene.StartAsync();
        Assert.That(heir.Output, Has.Some.Contains($"connections of process {first.Id}: 12 go on here, 8 were reset"));
        await heir.LineWithAsync("reason=limit", 8);
        Assert.That(await scene.IdsAsync(), Has.Length.EqualTo(12));
    }

    [Test]
    public async Task After_three_heirs_have_failed_within_a_minute_the_connections_are_reset()
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient client = (await scene.ConnectAsync(1))[0];
        await CrashScene.KillAsync(first);
        string now = Instant.Now(TimeProvider.System).Ticks.ToString(CultureInfo.InvariantCulture);
        await File.WriteAllLinesAsync(scene.HeirsPath, [now, now, now]);
        DaemonProcess heir = await scene.StartAsync();
        Assert.That(heir.Output, Has.Some.Contains("three daemons have ended within a minute while they took over connections"));
        Assert.That(await EndOfAsync(client), Is.EqualTo(SocketError.ConnectionReset));
        await heir.LineWithAsync("reason=internal");
        Assert.That(File.Exists(scene.HeirsPath), Is.False);
        Assert.That(await Talk.EchoAsync((await scene.ConnectAsync(1))[0], "new"), Is.EqualTo("new"));
    }

    [Test]
    public async Task Port_that_the_keeper_of_another_daemon_holds_is_an_error_that_names_it()
    {
        await using var scene = new CrashScene { Settings = "keeper_timeout = \"2m\"" };
        DaemonProcess first = await scene.StartAsync();
        await CrashScene.KillAsync(first);
        DaemonProcess other = DaemonProcess.Run($"""
            [[listeners]]
            name = "wss"
            bind = ["{scene.Listener}"]
            pool = "chat"
            [[pools]]
            name = "chat"
            [[pools.backends]]
            name = "ws1"
            address = "127.0.0.1:9"
            """);
        await using (other)
        {
            Assert.That(await other.ExitAsync(), Is.EqualTo(1));
            Assert.That(other.Errors, Has.Some.Contains($"the keeper (process {scene.Keeper}) of a daemon that has ended (process {first.Id}) has it, for at most 2m")
                .IgnoreCase);
        }
    }

    [Test]
    public async Task Second_daemon_with_the_same_socket_has_no_keeper_and_harms_nothing()
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient client = (await scene.ConnectAsync(1))[0];
        int keeper = scene.Keeper;
        await using var other = new CrashScene();
        File.WriteAllText(other.ConfigPath, (await File.ReadAllTextAsync(scene.ConfigPath)).Replace($"[\"{scene.Listener}\"]", "[\"127.0.0.1:0\"]", StringComparison.Ordinal));
        await using (var second = DaemonProcess.Start("run", "--config", other.ConfigPath))
        {
            Assert.That(await second.LineWithAsync("a crash of this daemon"), Does.Contain($"process {first.Id} runs with the same [admin] socket"));
            await second.ReadyAsync();
            await CrashScene.KillAsync(second);
        }

        Assert.That(CrashScene.HasEnded(keeper), Is.False);
        Assert.That(await Talk.EchoAsync(client, "on"), Is.EqualTo("on"));
        await CrashScene.KillAsync(first);
        await scene.StartAsync();
        Assert.That(await Talk.EchoAsync(client, "on"), Is.EqualTo("on"));
    }

    [Test]
    public async Task Bulk_to_a_slow_reader_arrives_whole_over_three_kills()
    {
        const int total = 48 << 20;
        using var backend = new TcpListener(IPAddress.Loopback, 0);
        backend.Start();
        await using var scene = new CrashScene();
        scene.Pool = scene.Pool.Replace("{backend}", backend.LocalEndpoint.ToString(), StringComparison.Ordinal);
        DaemonProcess daemon = await scene.StartAsync();
        TcpClient client = await scene.ConnectAsync();
        using Socket server = await backend.AcceptSocketAsync().WaitAsync(DaemonProcess.Deadline);
        Task sending = SendAsync(client.Client, total);
        long read = 0;
        foreach (int stop in (int[])[8 << 20, 20 << 20, 32 << 20, total])
        {
            read = await ReadAsync(server, read, stop);
            if (stop == total)
            {
                break;
            }

            // While nothing is read, the bytes stand in the sockets and in the pipe between them.
            await CrashScene.UntilAsync(() => SplicedSoFar(scene) > 0, "the stream is spliced");
            await CrashScene.KillAsync(daemon);
            daemon = await scene.StartAsync();
            Assert.That(daemon.Output, Has.Some.Contains(": 1 go on here, 0 were reset"));
        }

        await sending;
        Assert.That(read, Is.EqualTo(total));
    }

    [Test]
    public async Task Without_a_keeper_the_log_says_why()
    {
        await using var scene = new CrashScene { Settings = "keeper = false" };
        DaemonProcess daemon = await scene.StartAsync();
        Assert.That(daemon.Output, Has.Exactly(1).Contains("connections do not outlive a crash of this daemon: keeper = false"));
        Assert.That(Directory.Exists(scene.KeeperFolder), Is.False);
    }

    private static long SplicedSoFar(CrashScene scene) => scene.MetricsAsync().Result.Split('\n')
        .Where(static l => l.StartsWith("l4balancer_spliced_bytes_total{", StringComparison.Ordinal))
        .Sum(static l => long.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    // Each eight bytes are their own place in the stream.
    private static async Task SendAsync(Socket socket, int total)
    {
        var chunk = new byte[64 << 10];
        for (long sent = 0; sent < total; sent += chunk.Length)
        {
            for (int i = 0; i < chunk.Length; i += 8)
            {
                BinaryPrimitives.WriteInt64LittleEndian(chunk.AsSpan(i), sent + i);
            }

            for (int part = 0; part < chunk.Length;)
            {
                part += await socket.SendAsync(chunk.AsMemory(part));
            }
        }
    }

    private static async Task<long> ReadAsync(Socket socket, long read, long until)
    {
        var chunk = new byte[64 << 10];
        while (read < until)
        {
            int count = await socket.ReceiveAsync(chunk.AsMemory(0, (int)Math.Min(chunk.Length, until - read))).AsTask().WaitAsync(DaemonProcess.Deadline);
            Assert.That(count, Is.Positive, "the stream ends early");
            for (int i = 0; i < count; i++)
            {
                long place = (read + i) & ~7L;
                if (chunk[i] != (byte)(place >> (int)(8 * ((read + i) & 7))))
                {
                    Assert.Fail($"wrong byte at {read + i}");
                }
            }

            read += count;
        }

        return read;
    }

    private static async Task<SocketError> EndOfAsync(TcpClient client)
    {
        try
        {
            await client.Client.ReceiveAsync(new byte[1]).WaitAsync(DaemonProcess.Deadline);
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }
}
