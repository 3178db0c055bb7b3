using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Thousands of clients that misbehave, a few at a time: the books are exact afterwards, and every descriptor is given back.</summary>
[NonParallelizable]
internal abstract class FloodContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int Attackers = 8;
    private const int Each = 150;

    [Test]
    public async Task A_flood_leaves_exact_books_and_no_descriptor(
        [Values("reset", "fin", "data and reset", "urgent data", "single bytes")] string kind)
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        await VisitAsync(rig.Address);
        int descriptors = EngineSocket.CountDescriptors();

        await Task.WhenAll(Enumerable.Range(0, Attackers).Select(_ => Task.Run(() => AttackAsync(rig, kind)))).WaitAsync(TimeSpan.FromSeconds(60));
        Peer still = await ConnectAsync(rig);
        await AskAsync(still);
        still.Reset();

        // A client that resets while it is still in the queue is one that accept(2) may skip.
        await Patience.Until(() => rig.Snapshot.State.Open == 1 && rig.Engine.Count == 1, "only the first visitor is left");
        TestContext.Out.WriteLine($"{rig.Accepted} of {(Attackers * Each) + 2} were accepted, {rig.Listener.Refused.Total} of them refused");
        Assert.That(rig.Accepted, Is.InRange((Attackers * Each / 2) + 2, (Attackers * Each) + 2));
        Assert.That(rig.Accepted, Is.EqualTo(rig.Listener.Refused.Total + rig.Closed + 1));
        Assert.That(rig.Listener.Refused[CloseReason.Internal] + rig.ClosedAs(CloseReason.Internal), Is.Zero);
        await Patience.Until(() => EngineSocket.CountDescriptors() <= descriptors + 4, "the descriptors are given back");
    }

    [Test]
    public async Task Of_many_that_come_at_once_exactly_as_many_as_the_limit_get_in()
    {
        const int Limit = 50;
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { MaxConnections = Limit }, workers: 4);
        for (int round = 0; round < 3; round++)
        {
            List<Peer> served = [];
            await Task.WhenAll(Enumerable.Range(0, 3 * Limit).Select(_ => Task.Run(async () =>
            {
                try
                {
                    Peer client = await Peer.ConnectAsync(rig.Address);
                    await AskAsync(client);
                    lock (served)
                    {
                        served.Add(client);
                    }
                }
                catch (Exception e) when (e is SocketException or EndOfStreamException)
                {
                    // Refused.
                }
            }))).WaitAsync(TimeSpan.FromSeconds(30));
            int open = rig.Listener.Open;
            served.ForEach(p => p.Dispose());
            using (Assert.EnterMultipleScope())
            {
                Assert.That(served, Has.Count.EqualTo(Limit));
                Assert.That(open, Is.EqualTo(Limit));
                Assert.That(rig.Listener.Refused[CloseReason.Limit], Is.EqualTo(2 * Limit * (round + 1)));
            }

            await Patience.Until(() => rig.Listener.Open == 0, "all places are free again");
        }
    }

    private static async Task AttackAsync(Rig rig, string kind)
    {
        byte[] bytes = new byte[20_000];
        for (int i = 0; i < Each; i++)
        {
            try
            {
                using Peer client = await Peer.ConnectAsync(rig.Address);
                switch (kind)
                {
                    case "reset":
                        client.Reset();
                        break;
                    case "fin":
                        break;
                    case "data and reset":
                        await client.SendAsync(bytes);
                        client.Reset();
                        break;
                    case "urgent data":
                        client.Socket.Send("a"u8, SocketFlags.OutOfBand);
                        await client.SendAsync(bytes.AsMemory(0, 100));
                        client.Socket.Send("b"u8, SocketFlags.OutOfBand);
                        await client.ReceiveAsync(102);
                        break;
                    default:
                        for (int n = 0; n < 20; n++)
                        {
                            client.Socket.Send("x"u8);
                        }

                        client.Finish();
                        Assert.That((await client.ReceiveAllAsync()).Bytes, Is.EqualTo(20));
                        break;
                }
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
            {
                // What a client does to itself here.
            }
        }
    }
}
