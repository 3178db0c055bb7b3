using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Packets;

/// <summary>
/// Two balancers with one configuration behind a router that gives flows to the other one meanwhile: what becomes of them by what has changed. How many
/// flows is a parameter of the run (<c>flows</c>), for figures.
/// </summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[NonParallelizable]
[Category(DaemonProcess.Category)]
internal sealed class PacketEcmpTests
{
    private static readonly int Flows = int.Parse(TestContext.Parameters.Get("flows", "200"), CultureInfo.InvariantCulture);

    [TestCase("l2", false, 100_000)]
    [TestCase("ipip", true, 0)]
    public async Task Flows_break_only_if_their_owner_has_changed_and_not_with_the_second_chance(string forward, bool secondChance, int remembered)
    {
        await using PacketScene scene = await PacketScene.StartAsync(new PacketSetting(forward, secondChance, remembered, Balancers: 2));
        List<PacketClient> flows = [.. await scene.ConnectAsync(Flows / 2)];
        foreach (int[] order in new int[][] { [2], [1], [2, 1], [2, 1, 1], [1] })
        {
            await scene.RouteAsync(order);
            Assert.That(await PacketScene.LivingAsync(flows), Is.EqualTo(flows.Count), $"no backend has changed, next hops {string.Join(", ", order)}");
        }

        // These only the first balancer has seen.
        List<PacketClient> fresh = [.. await scene.ConnectAsync(Flows)];
        Func<Endpoint, int> before = scene.Expected();
        scene.Write(9);
        Func<Endpoint, int> after = scene.Expected();
        foreach (FrontBalancer balancer in scene.Balancers)
        {
            await PacketScene.CommandAsync(balancer, "reload");
            await balancer.Daemon.LineWithAsync("chat/ws9 (10.0.0.29:443) is up");
        }

        // The line comes a moment before the table.
        await scene.FirstFlowOfAsync(9);
        if (remembered > 0)
        {
            Assert.That(await PacketScene.LivingAsync(fresh), Is.EqualTo(fresh.Count), "the first balancer remembers them");
        }

        await scene.RouteAsync(2);
        await scene.FirstFlowOfAsync(9);
        int[] moved = [.. fresh.Index().Where(f => before(f.Item.Source) != after(f.Item.Source)).Select(f => f.Index)];
        bool[] living = await Task.WhenAll(fresh.Select(static c => c.LivesAsync()));
        int[] broken = [.. living.Index().Where(static l => !l.Item).Select(static l => l.Index)];
        TestContext.Out.WriteLine(
            $"{forward}, second_chance = {secondChance}, flows = {remembered}: {flows.Count} flows lived through 5 changes of the next hops; of {fresh.Count} the owner of "
            + $"{moved.Length} moved with a backend added, {broken.Length} broke");
        Assert.That(moved, Is.Not.Empty);
        Assert.That(broken, Is.EqualTo(secondChance ? [] : moved));
        flows.ForEach(static c => c.Dispose());
        fresh.ForEach(static c => c.Dispose());
    }
}
