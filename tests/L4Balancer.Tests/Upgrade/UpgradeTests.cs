using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Tests.Hosting;

namespace L4Balancer.Tests.Upgrade;

/// <summary>A running daemon is replaced by a new process: its connections, listening sockets and admin API go on.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.All)]
internal sealed class UpgradeTests
{
    [Test]
    public async Task Connections_go_on_over_several_upgrades_and_each_ends_with_one_line()
    {
        await using var backend = new EchoPeer();
        await using var family = new DaemonFamily(Config(backend));
        await family.First.ReadyAsync();
        System.Net.IPEndPoint listener = await family.First.ListenerAsync("wss");
        List<TcpClient> clients = [];
        for (int i = 0; i < 200; i++)
        {
            clients.Add(await Talk.ConnectAsync(listener));
            Assert.That(await Talk.EchoAsync(clients[^1], $"hello {i}"), Is.EqualTo($"hello {i}"));
        }

        IReadOnlyList<int> nice = NiceOfLoops(family.First.Id);
        HashSet<int> served = [family.First.Id];
        for (int round = 1; round <= 2; round++)
        {
            (int code, string output, string errors) = await family.CommandAsync("upgrade");
            Assert.That(code, Is.Zero, errors + string.Join('\n', family.First.Output));
            Assert.That(output, Does.Match(@"^process \d+ has replaced \d+\nmoved: 200 connections, the longest stood still for [0-9.]+ ms\nstayed: 0$"));
            Assert.That(served.Add(await family.ServingAsync()), "another process serves");
            Assert.That(NiceOfLoops(await family.ServingAsync()), Is.EqualTo(nice), "its event loops are not those of a control plane");
            foreach (TcpClient client in clients)
            {
                Assert.That(await Talk.EchoAsync(client, $"round {round}"), Is.EqualTo($"round {round}"));
            }

            using TcpClient fresh = await Talk.ConnectAsync(listener);
            Assert.That(await Talk.EchoAsync(fresh, "new"), Is.EqualTo("new"));
        }

        JsonElement upgrade = (await family.StatusAsync()).GetProperty("upgrade");
        Assert.That(upgrade.GetProperty("state").GetString(), Is.EqualTo("succeeded"));
        Assert.That(family.Living.Count(served.Contains), Is.EqualTo(1), "the replaced ones have ended");
        clients.ForEach(c => c.Dispose());
        await family.UntilAsync(
            async () => (await family.StatusAsync()).GetProperty("connections").GetProperty("active").GetInt32() == 0, "all have ended");
        await family.UntilAsync(() => Task.FromResult(Ends(family).Count >= 202), "every connection has its line");
        Assert.That(Ends(family), Has.Count.EqualTo(202).And.Unique);
    }

    // proc(5): field 19 of /proc/PID/task/TID/stat; the name of the thread before it may contain spaces.
    private static List<int> NiceOfLoops(int process) =>
    [
        .. Directory.GetDirectories($"/proc/{process}/task")
            .Where(static t => File.ReadAllText(Path.Combine(t, "comm")).StartsWith("worker ", StringComparison.Ordinal))
            .Select(static t => File.ReadAllText(Path.Combine(t, "stat")))
            .Select(static s => int.Parse(s[(s.LastIndexOf(')') + 2)..].Split(' ')[16], System.Globalization.CultureInfo.InvariantCulture)),
    ];

    [Test]
    public async Task A_signal_upgrades_and_who_connects_meanwhile_is_served()
    {
        await using var backend = new EchoPeer();
        await using var family = new DaemonFamily(Config(backend));
        await family.First.ReadyAsync();
        System.Net.IPEndPoint listener = await family.First.ListenerAsync("wss");
        family.First.Signal(DaemonProcess.SIGUSR2);
        int connects = 0;
        while (!family.First.HasExited)
        {
            using TcpClient client = await Talk.ConnectAsync(listener);
            Assert.That(await Talk.EchoAsync(client, "meanwhile"), Is.EqualTo("meanwhile"));
            connects++;
        }

        Assert.That(connects, Is.GreaterThan(1));
        Assert.That(await family.ServingAsync(), Is.Not.EqualTo(family.First.Id));
        await family.First.LineWithAsync("SIGUSR2: requested an upgrade");
    }

    [Test]
    public async Task Only_one_upgrade_at_a_time_and_another_binary_only_by_its_path()
    {
        await using var backend = new EchoPeer();
        await using var family = new DaemonFamily(Config(backend), "new.prepared:hang");
        await family.First.ReadyAsync();
        (int relative, _) = await family.PostUpgradeAsync(new { binary = "l4balancer" });
        (int missing, JsonElement noFile) = await family.PostUpgradeAsync(new { binary = "/no/such/file" });
        (int begun, JsonElement first) = await family.PostUpgradeAsync();
        (int second, JsonElement refused) = await family.PostUpgradeAsync();
        Assert.That((relative, missing, begun, second), Is.EqualTo((400, 409, 202, 409)));
        Assert.That(noFile.GetProperty("detail").GetString(), Does.Contain("no such file"));
        Assert.That(refused.GetProperty("detail").GetString(), Does.Contain("under way"));
        Assert.That(first.GetProperty("old_pid").GetInt32(), Is.EqualTo(family.First.Id));
        await family.UntilAsync(
            async () => (await family.StatusAsync()).GetProperty("upgrade").GetProperty("state").GetString() == "starting", "the status shows it");

        // A stop gives the upgrade up, and the new process ends with it.
        family.First.Signal(DaemonProcess.SIGTERM);
        await family.UntilAsync(() => Task.FromResult(family.Living.Count == 0), "both have ended");
    }

    private static string Config(EchoPeer backend) =>
        OneBackend.Config(backend.Endpoint, balancer: "access_log = \"all\"\nworkers = 2").Replace("[admin]\nsocket = \"\"\n", "", StringComparison.Ordinal);

    private static List<string> Ends(DaemonFamily family) =>
        [.. family.First.Output.Where(l => l.Contains(" reason=", StringComparison.Ordinal)).Select(l => l.Split(" id=")[1].Split(' ')[0])];
}
