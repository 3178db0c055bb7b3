using System.Net.Sockets;
using System.Text.RegularExpressions;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Hosting;

/// <summary><c>[pools.sticky]</c> through the file, a reload and an operator's commands, on both engines.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed partial class StickyTests
{
    [Test]
    public async Task A_client_stays_where_it_was_until_its_backend_takes_nobody_new([Values("epoll", "managed")] string engine)
    {
        if (engine == "epoll" && !OperatingSystem.IsLinux())
        {
            Assert.Ignore("epoll is Linux");
        }

        await using PacedScene scene = await PacedScene.StartAsync(
            engine, backends: 2, "balance = \"round-robin\"\nhash_key = [\"source-ip\"]\nsticky = { ttl = \"5m\" }");
        List<TcpClient> clients = [];
        try
        {
            string before = (await scene.CommandAsync("locate", "--listener", "wss", "--source", "127.0.0.1:1234")).Output;
            Assert.That(before, Does.StartWith("backend   any of pool chat"));
            await ConnectAsync(scene, clients, 3);
            int[] held = await scene.ConnectionsAsync();
            int home = Array.IndexOf(held, 3);
            Assert.That(home, Is.Not.Negative, string.Join(' ', held));

            await scene.AddBackendAsync();
            await ConnectAsync(scene, clients, 3);
            Assert.That((await scene.ConnectionsAsync())[home], Is.EqualTo(6));
            string after = (await scene.CommandAsync("locate", "--listener", "wss", "--source", "127.0.0.1:1234")).Output;
            Assert.That(after, Does.StartWith($"backend   chat/ws{home + 1} (").And.Contain("\nsticky    an entry of the pool's table decides"));
            Assert.That(Entries().Match(await scene.MetricsAsync()).Groups["count"].Value, Is.EqualTo("1"));

            Assert.That((await scene.CommandAsync("drain", $"chat/ws{home + 1}")).Code, Is.Zero);
            await ConnectAsync(scene, clients, 3);
            int[] drained = await scene.ConnectionsAsync();
            Assert.That(drained[home], Is.EqualTo(6));
            Assert.That(drained.Where((_, i) => i != home).Order(), Is.EqualTo(new[] { 0, 3 }), "all three go to one");
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    private static async Task ConnectAsync(PacedScene scene, List<TcpClient> clients, int count)
    {
        int before = (await scene.ConnectionsAsync()).Sum();
        for (int i = 1; i <= count; i++)
        {
            clients.Add(await Talk.ConnectAsync(scene.Listener));
            await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == before + i, "it is connected");
        }
    }

    [GeneratedRegex("^l4balancer_sticky_entries\\{[^}]*pool=\"chat\"[^}]*\\} (?<count>[0-9]+)", RegexOptions.Multiline)]
    private static partial Regex Entries();
}
