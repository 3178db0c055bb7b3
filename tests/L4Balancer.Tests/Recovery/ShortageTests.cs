using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Tests.Hosting;
using L4Balancer.Tests.Upgrade;

namespace L4Balancer.Tests.Recovery;

/// <summary>The machine has no memory or no disk left for a daemon and its heirs.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[Category(DaemonProcess.Category)]
[CancelAfter(240_000)]
[Parallelizable(ParallelScope.All)]
internal sealed class ShortageTests
{
    private const int Many = 30;

    private static string Config(EchoPeer backend) => OneBackend.Config(backend.Endpoint, balancer: "workers = 2\nmax_connections = 100")
        .Replace("[admin]\nsocket = \"\"\n", "", StringComparison.Ordinal);

    [Test]
    public async Task Connections_outlive_an_OOM_kill()
    {
        using MemoryGroup group = MemoryGroup.Create();
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync(group.Starter());
        TcpClient[] clients = await scene.ConnectAsync(Many);
        await group.EndByShortageAsync(first);
        Assert.That(group.Kills, Is.Positive);
        Assert.That(CrashScene.HasEnded(scene.Keeper), Is.False, "the keeper is small");

        DaemonProcess heir = await scene.StartAsync(group.Starter());
        Assert.That(heir.Output, Has.Some.Contains($"connections of process {first.Id}: {Many} go on here, 0 were reset"));
        await EchoAsync(clients);
    }

    [Test]
    public async Task Full_disk_at_the_start_means_no_keeper_and_the_log_says_so()
    {
        await using var backend = new EchoPeer();
        TinyDisk? disk = null;
        await using var family = new DaemonFamily(Config(backend), prepare: folder =>
        {
            disk = TinyDisk.MountAt(Path.Combine(folder, "keeper"));
            disk.Fill();
        });
        using (disk)
        {
            await family.First.ReadyAsync();
            string said = await family.First.LineWithAsync("a crash of this daemon");
            IgnoreWithoutKeeper(said);
            Assert.That(said, Does.Contain("connections do not outlive").And.Contain("there is no keeper: ").And.Contain("ENOSPC"));
            await EchoAsync(await ConnectAsync(family));
            Assert.That(family.Living, Has.Count.EqualTo(1), "no keeper stays that has nothing to keep");
        }
    }

    [Test]
    public async Task Full_disk_costs_no_connection_in_an_upgrade_and_after_a_crash()
    {
        await using var backend = new EchoPeer();
        TinyDisk? disk = null;
        await using var family = new DaemonFamily(Config(backend), prepare: folder => disk = TinyDisk.MountAt(Path.Combine(folder, "keeper")));
        using (disk)
        {
            await family.First.ReadyAsync();
            IgnoreWithoutKeeper(await family.First.LineWithAsync("a crash of this daemon"));
            TcpClient[] clients = await ConnectAsync(family);
            disk!.Fill();
            await UpgradeAsync(family);
            Assert.That(await family.First.LineWithAsync("there is no keeper: "), Does.Contain("ENOSPC"));
            await EchoAsync(clients);

            // With room the next upgrade has one again.
            disk.Free();
            await UpgradeAsync(family);
            await family.First.LineWithAsync("connections outlive a crash of this daemon", 2);
            await EchoAsync(clients);
            disk.Fill();
            int serving = await family.ServingAsync();
            using (var process = System.Diagnostics.Process.GetProcessById(serving))
            {
                process.Kill();
            }

            await using DaemonProcess heir = family.StartAgain();
            await heir.LineWithAsync($"connections of process {serving}: {Many} go on here, 0 were reset");
            Assert.That(await heir.LineWithAsync("there is no keeper: "), Does.Contain("ENOSPC"));
            await EchoAsync(clients);
        }
    }

    private static async Task UpgradeAsync(DaemonFamily family)
    {
        (int code, string output, string errors) = await family.CommandAsync("upgrade");
        Assert.That(code, Is.Zero, errors);
        Assert.That(output, Does.Contain($"moved: {Many} connections"));
    }

    private static async Task<TcpClient[]> ConnectAsync(DaemonFamily family)
    {
        System.Net.IPEndPoint listener = await family.First.ListenerAsync("wss");
        var clients = new TcpClient[Many];
        for (int i = 0; i < Many; i++)
        {
            clients[i] = await Talk.ConnectAsync(listener);
        }

        await EchoAsync(clients);
        return clients;
    }

    private static async Task EchoAsync(TcpClient[] clients)
    {
        for (int i = 0; i < clients.Length; i++)
        {
            Assert.That(await Talk.EchoAsync(clients[i], $"on {i}"), Is.EqualTo($"on {i}"));
        }
    }

    private static void IgnoreWithoutKeeper(string said)
    {
        if (said.Contains("this build does not have it", StringComparison.Ordinal))
        {
            Assert.Ignore(said);
        }
    }
}
