using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>A short read means an empty queue, unless the same edge reported an end: no other edge follows for it.</summary>
internal sealed class ShortReadTests() : EpollFixture(workers: 1)
{
    [Test]
    public async Task A_FIN_in_one_edge_with_its_data_comes_through([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        using (await HoldAsync(rig))
        {
            await from.SendAsync("last"u8.ToArray());
            from.Finish();
        }

        Received received = await to.ReceiveAllAsync();
        Assert.That((received.Bytes, received.End), Is.EqualTo((4L, StreamEnd.Fin)));
        await to.SendAsync("answer"u8.ToArray());
        to.Finish();
        Assert.That((await from.ReceiveAllAsync()).Bytes, Is.EqualTo(6));
    }

    [Test]
    public async Task Also_however_they_come_a_thousand_times()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        var random = new Random(31);
        for (int i = 0; i < 1000; i++)
        {
            using Peer client = await Peer.ConnectAsync(rig.Address);
            int length = 1 + random.Next(random.Next(2) == 0 ? 16 : 20_000);
            await client.SendAsync(new byte[length]);
            client.Finish();
            Received received = await client.ReceiveAllAsync();
            Assert.That((received.Bytes, received.End), Is.EqualTo(((long)length, StreamEnd.Fin)), $"connection {i}");
        }
    }
}
