using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json;

namespace L4Balancer.Tests.Recovery;

/// <summary>Daemons that are killed, and others that go on with their connections.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[Category(DaemonProcess.Category)]
[CancelAfter(240_000)]
[Parallelizable(ParallelScope.All)]
internal sealed class CrashTests
{
    [Test]
    public async Task Connections_of_a_killed_daemon_go_on_and_who_connects_meanwhile_is_served()
    {
        const int many = 200;
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient[] clients = await scene.ConnectAsync(many);
        ulong[] ids = await scene.IdsAsync();
        int keeper = scene.Keeper;
        await CrashScene.KillAsync(first);
        TcpClient late = await scene.ConnectAsync();
        byte[] early = "while nobody lives "u8.ToArray();
        await clients[0].GetStream().WriteAsync(early);

        DaemonProcess heir = await scene.StartAsync();
        Assert.That(heir.Output, Has.Some.Contains($"connections of process {first.Id}: {many} go on here, 0 were reset"));
        await clients[0].GetStream().ReadExactlyAsync(new byte[early.Length]).AsTask().WaitAsync(DaemonProcess.Deadline);
        for (int i = 0; i < many; i++)
        {
            Assert.That(await Talk.EchoAsync(clients[i], $"again {i}"), Is.EqualTo($"again {i}"));
        }

        Assert.That(await Talk.EchoAsync(late, "late"), Is.EqualTo("late"));
        ulong[] now = await scene.IdsAsync();
        Assert.That(now, Has.Length.EqualTo(many + 1).And.SupersetOf(ids), "ids stay, and go on");
        Assert.That(now[^1], Is.GreaterThan(ids[^1]));
        Assert.That(CrashScene.HasEnded(keeper), "the keeper of the first one has ended");
        Assert.That(
            Directory.GetFiles(scene.KeeperFolder, "*-*").Select(static p => string.Join('-', Path.GetFileName(p).Split('-')[..2])),
            Is.EquivalentTo(new[] { $"keeper-{heir.Id}", $"ledger-{heir.Id}" }));
        string metrics = await scene.MetricsAsync();
        Assert.That(metrics, Does.Contain($"l4balancer_recovered_connections_total{{result=\"adopted\"}} {many}\n")
            .And.Contain("l4balancer_recovered_connections_total{result=\"reset\"} 0\n")
            .And.Contain($"l4balancer_connections_active{{backend=\"ws1\",pool=\"chat\"}} {many + 1}\n"));

        // The end of one is one line, with what was relayed before and after.
        string address = Talk.AddressOf(clients[7]);
        clients[7].Dispose();
        string line = await heir.LineWithAsync($" client={address} ");
        Assert.That(line, Does.Contain($" id={ids[7]} ").And.Contain(" to_backend=14 to_client=14 ").And.Contain("reason=client_closed"));

        // And a second time, by the one that has taken over.
        await CrashScene.KillAsync(heir);
        DaemonProcess third = await scene.StartAsync();
        Assert.That(third.Output, Has.Some.Contains($"connections of process {heir.Id}: {many} go on here, 0 were reset"));
        Assert.That(await Talk.EchoAsync(clients[0], "third"), Is.EqualTo("third"));
        keeper = scene.Keeper;
        third.Signal(DaemonProcess.SIGTERM);
        Assert.That(await third.ExitAsync(), Is.Zero);
        Assert.That(CrashScene.HasEnded(keeper), "a stop in good order ends the keeper");
        Assert.That(Directory.GetFiles(scene.KeeperFolder, "*-*"), Is.Empty);
        Assert.That(async () => await Talk.EchoAsync(clients[1], "x"), Throws.Exception, "and the connections");
    }

    [Test]
    public async Task Drain_and_weight_and_sticky_keys_come_back_without_a_state_file()
    {
        await using var backend = new EchoPeer();
        await using var scene = new CrashScene
        {
            Pool = $$"""
                [[pools]]
                name = "chat"
                hash_key = ["source-ip"]
                health = { type = "none" }
                sticky = { ttl = "1h" }
                [[pools.backends]]
                name = "ws1"
                address = "{backend}"
                [[pools.backends]]
                name = "ws2"
                address = "{{backend.Endpoint}}"
                """,
        };
        DaemonProcess first = await scene.StartAsync();
        TcpClient client = (await scene.ConnectAsync(1))[0];
        string chosen = (await scene.GetAsync("/v1/connections")).GetProperty("connections")[0].GetProperty("backend").GetString()!;
        string other = chosen.EndsWith("ws1", StringComparison.Ordinal) ? "ws2" : "ws1";

        // Without its entry the key would go to the heavier one from now on.
        await scene.AskAsync("weight", $"chat/{other}", "1000");
        await scene.AskAsync("weight", $"chat/{chosen[^3..]}", "1");
        await CrashScene.KillAsync(first);
        await scene.StartAsync();
        Assert.That(await WeightsAsync(scene), Is.EqualTo(other == "ws2" ? new[] { 1, 1000 } : [1000, 1]));
        Assert.That(await scene.MetricsAsync(), Does.Contain("l4balancer_sticky_entries{pool=\"chat\"} 1\n"));
        TcpClient second = (await scene.ConnectAsync(1))[0];
        JsonElement all = (await scene.GetAsync("/v1/connections")).GetProperty("connections");
        Assert.That(all.EnumerateArray().Select(c => c.GetProperty("backend").GetString()), Is.EqualTo(new[] { chosen, chosen }));
        Assert.That(await Talk.EchoAsync(client, "on"), Is.EqualTo("on"));
        Assert.That(await Talk.EchoAsync(second, "on"), Is.EqualTo("on"));
    }

    [Test]
    public async Task A_pool_and_listener_that_the_configuration_no_longer_has_keep_their_connections()
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient[] clients = await scene.ConnectAsync(3);
        await CrashScene.KillAsync(first);
        scene.Pool = scene.Pool.Replace("\"chat\"", "\"talk\"", StringComparison.Ordinal);
        scene.PoolOfListener = "talk";
        await scene.StartAsync();

        Assert.That(await Talk.EchoAsync(clients[0], "stays"), Is.EqualTo("stays"));
        JsonElement one = (await scene.GetAsync("/v1/connections")).GetProperty("connections")[0];
        Assert.That(one.GetProperty("pool").GetString(), Is.EqualTo("chat"));
        Assert.That(await scene.MetricsAsync(), Does.Contain("l4balancer_connections_active{backend=\"ws1\",pool=\"chat\"} 3\n"));
        await scene.AskAsync("reload");
        await scene.AskAsync("close", "--backend", "chat/ws1", "--rate", "0");
        foreach (TcpClient client in clients)
        {
            Assert.That(await client.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Deadline), Is.Zero);
        }
    }

    [Test]
    public async Task Half_closed_connection_goes_on()
    {
        using var backend = new TcpListener(IPAddress.Loopback, 0);
        backend.Start();
        await using var scene = new CrashScene();
        scene.Pool = scene.Pool.Replace("{backend}", backend.LocalEndpoint.ToString(), StringComparison.Ordinal);
        DaemonProcess first = await scene.StartAsync();
        TcpClient client = await scene.ConnectAsync();
        using Socket server = await backend.AcceptSocketAsync().WaitAsync(DaemonProcess.Deadline);
        client.Client.Shutdown(SocketShutdown.Send);
        Assert.That(await server.ReceiveAsync(new byte[1]).WaitAsync(DaemonProcess.Deadline), Is.Zero);
        await CrashScene.UntilAsync(
            () => scene.MetricsAsync().Result.Contains("half_closed{pool=\"chat\"} 1\n", StringComparison.Ordinal), "it is half-closed");
        await CrashScene.KillAsync(first);
        await scene.StartAsync();
        Assert.That(await scene.MetricsAsync(), Does.Contain("half_closed{pool=\"chat\"} 1\n"));

        // The other direction still works, to its end.
        await server.SendAsync("late"u8.ToArray());
        server.Shutdown(SocketShutdown.Send);
        var bytes = new byte[8];
        Assert.That(await client.Client.ReceiveAsync(bytes).WaitAsync(DaemonProcess.Deadline), Is.EqualTo(4));
        Assert.That(await client.Client.ReceiveAsync(bytes).WaitAsync(DaemonProcess.Deadline), Is.Zero);
    }

    [Test]
    public async Task Keeper_that_is_killed_is_replaced()
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient[] clients = await scene.ConnectAsync(2);
        Kill(scene.Keeper);
        string line = await first.LineWithAsync("has taken its place");
        Assert.That(line, Does.Contain($"the keeper, process {scene.Keeper}, has ended without being asked"));
        await CrashScene.KillAsync(first);
        await scene.StartAsync();
        Assert.That(await Talk.EchoAsync(clients[1], "on"), Is.EqualTo("on"));
    }

    [Test]
    public async Task Start_that_fails_leaves_the_connections_to_the_next_one_and_no_keeper_of_its_own()
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient[] clients = await scene.ConnectAsync(2);
        await CrashScene.KillAsync(first);
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        scene.More = $"[metrics]\nlisten = \"{taken.LocalEndpoint}\"\n";
        DaemonProcess failed = scene.Begin();
        Assert.That(await failed.ExitAsync(), Is.EqualTo(1));
        Assert.That(Directory.GetFiles(scene.KeeperFolder).Select(Path.GetFileName), Has.None.Contains($"-{failed.Id}-"));

        scene.More = "";
        await scene.StartAsync();
        Assert.That(await Talk.EchoAsync(clients[0], "on"), Is.EqualTo("on"));
        Assert.That(await Talk.EchoAsync(clients[1], "on"), Is.EqualTo("on"));
    }

    private static async Task<int[]> WeightsAsync(CrashScene scene) =>
        [.. (await scene.GetAsync("/v1/backends")).GetProperty("backends").EnumerateArray().Select(static b => b.GetProperty("weight").GetInt32())];

    private static void Kill(int process)
    {
        using var keeper = System.Diagnostics.Process.GetProcessById(process);
        keeper.Kill();
    }
}
