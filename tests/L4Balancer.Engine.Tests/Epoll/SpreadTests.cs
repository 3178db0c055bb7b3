using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Connections stay for hours, so where they come from is not left to chance: threads end up with as many each.</summary>
internal sealed class SpreadTests() : EpollFixture(workers: 8)
{
    private const int Connections = 400;

    [Test]
    public async Task A_thread_that_lost_its_connections_gets_the_new_ones()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        List<Peer> clients = await OpenManyAsync(rig, Connections);
        Assert.That(Busiest(rig), Is.LessThanOrEqualTo(Bound), "from the start");

        for (int worker = 0; worker < 8; worker += 3)
        {
            HashSet<Core.Addressing.Endpoint> its = await AskAsync(
                rig, w => Enumerable.Range(0, w.Slots.End).Where(i => w.Slots[i].State != SlotState.Free)
                    .Select(i => w.Slots[i].Record.Tuple.Source).ToHashSet(), worker);
            List<Peer> leaving = [.. clients.Where(c => its.Contains(c.Local)).Skip(5)];
            Assert.That(leaving, Has.Count.GreaterThan(30));
            leaving.ForEach(c => c.Dispose());
            clients.RemoveAll(leaving.Contains);
            await Patience.Until(() => rig.Engine.Count == Connections - leaving.Count, "they are gone");

            clients.AddRange(await OpenManyAsync(rig, leaving.Count));
            TestContext.Out.WriteLine(string.Join(' ', WorkersOf(rig).Select(w => w.Assigned)));
            Assert.That(Busiest(rig), Is.LessThanOrEqualTo(Bound));
        }
    }

    private static double Bound => (1.1 * Connections / 8) + 2;

    private static int Busiest(Rig rig) => WorkersOf(rig).Max(w => w.Assigned);

    private async Task<List<Peer>> OpenManyAsync(Rig rig, int count)
    {
        List<Peer> opened = [];
        for (int i = 0; i < count; i++)
        {
            opened.Add(await ConnectAsync(rig));
        }

        await Patience.Until(() => opened.TrueForAll(c => rig.Records.IsEstablished(c.Local)), "all are established");
        return opened;
    }
}
