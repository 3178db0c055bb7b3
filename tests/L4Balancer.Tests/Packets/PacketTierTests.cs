using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using System.Text.Json;

namespace L4Balancer.Tests.Packets;

/// <summary>
/// The daemon with a packet listener: what becomes of flows when backends and the daemon itself come and go. How many flows is a parameter of the run
/// (<c>flows</c>), for figures.
/// </summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[NonParallelizable]
[Category(DaemonProcess.Category)]
internal sealed class PacketTierTests
{
    // Descriptors of this process are for both ends of a flow.
    private const int MostAdded = 300;

    private static readonly int Flows = int.Parse(TestContext.Parameters.Get("flows", "300"), CultureInfo.InvariantCulture);

    [Test]
    public async Task Established_flows_stay_and_new_ones_follow_whatever_happens([Values("l2", "ipip")] string forward)
    {
        await using PacketScene scene = await PacketScene.StartAsync(new PacketSetting(forward));
        List<PacketClient> held = [.. await scene.ConnectAsync(Flows)];
        Func<Core.Addressing.Endpoint, int> expected = scene.Expected();
        Assert.That(held.Select(c => c.Backend), Is.EqualTo(held.Select(c => expected(c.Source))), "each flow is where Core would send it");
        await AllLiveAsync("at first");
        await LocateAgreesAsync(scene, held[0]);

        Assert.That(await scene.CommandAsync("drain", "chat/ws1"), Does.Not.Contain("flows = 0"));
        await AddAsync("with one drained", c => c.Backend != 1);
        await scene.CommandAsync("weight", "chat/ws2", "0");
        await AddAsync("with one of weight 0", c => c.Backend is not (1 or 2));
        await scene.CommandAsync("ready", "chat/ws1");
        await scene.CommandAsync("weight", "chat/ws2", "300");
        PacketClient[] weighed = await AddAsync("with one of three times the weight", static _ => true);
        Report($"of {weighed.Length} new flows {weighed.Count(c => c.Backend == 2)} went to the one of three times the weight (3 of 10)");

        scene.Write(9);
        await scene.CommandAsync("reload");
        await scene.Balancer.Daemon.LineWithAsync("chat/ws9 (10.0.0.29:443) is up");
        PacketClient[] joined = await AddAsync("with one added", static _ => true);
        Assert.That(joined.Count(c => c.Backend == 9), Is.Positive, "the new one gets its share");

        await scene.KillBackendAsync(3);
        int lost = held.RemoveAll(c => c.Backend == 3);
        await AddAsync($"with one killed, which had {lost}", c => c.Backend != 3);

        await using (var watch = new FlowWatch(held.Take(20)))
        {
            await scene.Balancer.KillAndRestartAsync();
            Report($"kill -9 and restart: the longest answer took {await watch.LongestAsync():0} ms");
        }

        // Until its first probe has ended, a daemon that starts takes every backend for one that lives.
        await scene.IsAvoidedAsync(3);
        await AddAsync("after kill -9 and a restart", static _ => true);
        await using (var watch = new FlowWatch(held.Take(20)))
        {
            await scene.Balancer.UpgradeAsync();
            Report($"upgrade: the longest answer took {await watch.LongestAsync():0} ms");
        }

        await AddAsync("after an upgrade", static _ => true);
        string status = await scene.CommandAsync("status");
        Assert.That(status, Does.Contain("XDP"));
        Assert.That(await scene.CommandAsync("backends"), Does.Contain("PACKETS"));
        Report(status);
        held.ForEach(static c => c.Dispose());

        async Task AllLiveAsync(string when)
        {
            int living = await PacketScene.LivingAsync(held);
            Report($"{when}: {living} of {held.Count} flows live");
            Assert.That(living, Is.EqualTo(held.Count), when);
        }

        async Task<PacketClient[]> AddAsync(string when, Func<PacketClient, bool> fits)
        {
            await AllLiveAsync(when);
            PacketClient[] more = await scene.ConnectAsync(Math.Min(Flows / 3, MostAdded));
            held.AddRange(more);
            Assert.That(more.Where(c => !fits(c)).Select(c => c.Backend), Is.Empty, $"new flows {when}");
            return more;
        }
    }

    [Test]
    public async Task Stop_in_good_order_leaves_nothing_and_without_flows_a_drain_says_what_it_breaks()
    {
        await using PacketScene scene = await PacketScene.StartAsync();
        using PacketClient flow = (await scene.ConnectAsync(1))[0];
        scene.Write(8, flows: 0);
        await scene.CommandAsync("reload");
        Assert.That(await flow.LivesAsync(), "the choice has not changed");

        string said = await scene.CommandAsync("drain", $"chat/ws{flow.Backend}");
        Assert.That(said, Does.Contain("listener wss has flows = 0: the established flows of").And.Contain("break"));
        await scene.Balancer.Daemon.LineWithAsync("so that the established flows of this backend break");

        // Changes of one moment are published together, a moment later.
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        while (await flow.LivesAsync())
        {
            deadline.Token.ThrowIfCancellationRequested();
        }

        Assert.That(await scene.Balancer.Host.ShellAsync("ip -d link show dev eth0; ls /sys/fs/bpf/l4balancer/*"), Does.Contain("xdp").And.Contain("eth0"));
        scene.Balancer.Daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await scene.Balancer.Daemon.ExitAsync(), Is.Zero);
        Assert.That(await scene.Balancer.Host.ShellAsync("ip -d link show dev eth0; find /sys/fs/bpf/l4balancer"), Does.Not.Contain("xdp").And.Not.Contain("eth0/"));
    }

    private static async Task LocateAgreesAsync(PacketScene scene, PacketClient client)
    {
        string answer = await scene.CommandAsync("locate", "--listener", "wss", "--source", client.Source.ToString(), "--json");
        Assert.That(JsonDocument.Parse(answer).RootElement.GetProperty("backend").GetString(), Is.EqualTo($"ws{client.Backend}"));
    }

    private static void Report(string line) => TestContext.Out.WriteLine(line);

    /// <summary>Asks on established flows all the time.</summary>
    private sealed class FlowWatch : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task<double>[] _asking;

        public FlowWatch(IEnumerable<PacketClient> clients) => _asking = [.. clients.Select(c => Task.Run(() => AskAsync(c)))];

        /// <summary>Ends it.</summary>
        /// <returns>The longest time, in milliseconds, that an answer took.</returns>
        public async Task<double> LongestAsync()
        {
            await _stop.CancelAsync();
            return (await Task.WhenAll(_asking)).Max();
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await Task.WhenAll(_asking);
            _stop.Dispose();
        }

        private async Task<double> AskAsync(PacketClient client)
        {
            double longest = 0;
            for (int i = 0; !_stop.IsCancellationRequested; i++)
            {
                long begun = Stopwatch.GetTimestamp();
                await client.EchoAsync(i, 100);
                longest = Math.Max(longest, Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
                await Task.Yield();
            }

            return longest;
        }
    }
}
