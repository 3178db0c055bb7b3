using System.Net.Sockets;
using System.Text;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>
/// Urgent data (RFC 6093) stays where it was sent, in the middle of the stream. A read stops at its mark, and looks short; splice(2)
/// does not come past it at all.
/// </summary>
internal sealed class UrgentDataTests() : EpollFixture(workers: 1)
{
    [Test]
    public async Task A_short_read_that_stopped_at_the_mark_is_not_taken_for_the_end([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        using (await HoldAsync(rig))
        {
            await from.SendAsync("before"u8.ToArray());
            Assert.That(from.Socket.Send("!"u8, SocketFlags.OutOfBand), Is.EqualTo(1));
            await from.SendAsync("after"u8.ToArray());
        }

        Assert.That(Encoding.ASCII.GetString(await to.ReceiveAsync(12)), Is.EqualTo("before!after"));
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Bulk_comes_past_the_mark_whole([Values] bool byClient)
    {
        const int rounds = 20;
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        var splices = new CountedCalls(SystemCall.SpliceIn);
        SystemFault.Installed = splices;
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);

        using var pattern = new Pattern(21);
        Task<Received> receiving = Task.Run(to.ReceiveAllAsync);
        for (int i = 0; i < rounds; i++)
        {
            for (long end = pattern.Taken + (4 * MiB); pattern.Taken < end || splices.Count == 0;)
            {
                await from.SendAsync(pattern.Next(MiB));
            }

            Assert.That(from.Socket.Send(pattern.Next(1).Span, SocketFlags.OutOfBand), Is.EqualTo(1));
        }

        from.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(pattern.Taken, pattern.Digest, StreamEnd.Fin)));
        to.Finish();
    }
}
