using System.Net.Sockets;
using System.Runtime.Versioning;

namespace L4Balancer.Tests.Recovery;

/// <summary>A daemon that takes over from a crashed one stands still in the middle of it, with the lock that keeps others out.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[Category(DaemonProcess.Category)]
[CancelAfter(240_000)]
[Parallelizable(ParallelScope.All)]
internal sealed class StoppedHeirTests
{
    private const int Many = 60;

    [TestCase(DaemonProcess.SIGCONT)]
    [TestCase(DaemonProcess.SIGKILL)]
    public async Task The_next_one_serves_new_connections_and_the_others_live_once_the_stopped_one_goes_on_or_ends(int later)
    {
        await using var scene = new CrashScene();
        DaemonProcess first = await scene.StartAsync();
        TcpClient[] clients = await scene.ConnectAsync(Many);
        (DaemonProcess before, DaemonProcess heir) = await StoppedHeirAsync(scene, first);

        DaemonProcess third = await scene.StartAsync();
        Assert.That(third.Output, Has.Some.Contains("another process has begun to take over").And.Contains("heirs.lock is locked"));
        Assert.That(third.Output, Has.None.Contains("go on here"));
        TcpClient late = await scene.ConnectAsync();
        Assert.That(await Talk.EchoAsync(late, "late"), Is.EqualTo("late"));

        // Who takes the connections in the end: the one that goes on, or the third once the other is gone.
        heir.Signal(later);
        DaemonProcess taker = later == DaemonProcess.SIGCONT ? heir : third;
        await taker.LineWithAsync($"connections of process {before.Id}: {Many} go on here, 0 were reset");
        foreach (TcpClient client in (TcpClient[])[.. clients, late])
        {
            Assert.That(await Talk.EchoAsync(client, "on"), Is.EqualTo("on"));
        }
    }

    // Stopped between the line that is written under the lock and the last one. One that was faster has the connections, and is killed for the next.
    private static async Task<(DaemonProcess Before, DaemonProcess Heir)> StoppedHeirAsync(CrashScene scene, DaemonProcess before)
    {
        for (int attempt = 0; attempt < 20; attempt++)
        {
            await CrashScene.KillAsync(before);
            DaemonProcess heir = scene.Begin();
            await heir.LineWithAsync("has ended without stopping");
            heir.Signal(DaemonProcess.SIGSTOP);
            if (Directory.GetFiles(scene.KeeperFolder, $"ledger-{before.Id}-*").Length == 1
                && !heir.Output.Any(static l => l.Contains("connections outlive", StringComparison.Ordinal)))
            {
                return (before, heir);
            }

            heir.Signal(DaemonProcess.SIGCONT);
            await heir.ReadyAsync();
            before = heir;
        }

        throw new InvalidOperationException("every heir was done before it could be stopped");
    }
}
