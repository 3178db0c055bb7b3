using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using L4Balancer.Tests.Pacing;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Hosting;

/// <summary>A real daemon that may hold few descriptors: what it keeps in reserve is enough for all but connections.</summary>
[CancelAfter(120_000)]
[Platform("Linux")]
[Category(DaemonProcess.Category)]
internal sealed partial class DescriptorLimitTests
{
    private const string Prlimit = "/usr/bin/prlimit";

    [Test]
    public async Task A_full_one_refuses_clients_and_still_answers_operators_and_probes([Values("epoll", "managed")] string engine)
    {
        if (!File.Exists(Prlimit))
        {
            Assert.Ignore("prlimit (util-linux) is not installed");
        }

        // What is shipped is to do with 256; the portable runtime needs some 200 more for itself.
        string limit = DaemonProcess.Executable is null ? "--nofile=480" : "--nofile=256";
        const int surplus = 20;
        await using PacedScene scene = await PacedScene.StartAsync(
            engine, backends: 2, "passive.failures = 1", "interval = \"50ms\"\ntimeout = \"20s\"", Prlimit, limit);
        int most = int.Parse(UpTo().Match(await scene.Daemon.LineWithAsync("up to ")).Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.That(most, Is.InRange(10, 100));
        var held = new List<TcpClient>();
        try
        {
            while (held.Count < most)
            {
                held.Add(await Talk.ConnectAsync(scene.Listener));
            }

            await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == most, "it is full");
            bool[] refused = await Task.WhenAll(Enumerable.Range(0, surplus).Select(_ => Talk.IsRefusedAsync(scene.Listener)));
            Assert.That(refused, Is.All.True);

            long probes = await ProbesAsync(scene);
            JsonElement[][] answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => scene.BackendsAsync()));
            await scene.UntilAsync(async () => await ProbesAsync(scene) >= probes + 10, "probes go on");

            using (Assert.EnterMultipleScope())
            {
                Assert.That(answers.Select(a => a.Sum(b => b.GetProperty("connections").GetInt32())), Is.All.EqualTo(most));
                Assert.That(new Exposition(await scene.MetricsAsync()).By("reason", "connections_refused_total"), Is.EqualTo(
                    new Dictionary<string, double> { ["limit"] = surplus }));
                Assert.That(answers[0].Select(b => b.GetProperty("health").GetProperty("local_errors").GetInt64()), Is.All.Zero);
                Assert.That(await scene.StatesAsync(), Is.All.EqualTo("up"));
                Assert.That(scene.Daemon.Output.Concat(scene.Daemon.Errors), Has.None.Match("(?i)emfile|too many open|out of descriptors"));
            }

            held[0].Dispose();
            await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == most - 1, "a place is free");
            Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.False);
        }
        finally
        {
            held.ForEach(c => c.Dispose());
        }
    }

    private static async Task<long> ProbesAsync(PacedScene scene) =>
        (await scene.BackendsAsync()).Sum(b => b.GetProperty("health").GetProperty("succeeded").GetInt64());

    [GeneratedRegex(@"up to (\d+) connections", RegexOptions.CultureInvariant)]
    private static partial Regex UpTo();
}
