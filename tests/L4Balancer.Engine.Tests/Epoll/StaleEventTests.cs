using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Events are collected first and acted on then: one of them may be about a connection that another has just ended.</summary>
internal sealed class StaleEventTests() : EpollFixture(workers: 1)
{
    [Test]
    public async Task An_event_of_an_ended_connection_does_not_touch_the_next_one_in_its_slot()
    {
        TestBackend backend = Backend();
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        ListenerSettings listener = Settings.Listener("127.0.0.1:0");
        Rig rig = Start(Settings.Pool(backend), listener);
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        int index = await AskAsync(rig, w => w.Slots.End - 1);
        rig.Publish(Settings.Config(Settings.Pool(silent) with { ConnectTimeout = TimeSpan.Zero }, listener));
        Peer next;
        using (await HoldAsync(rig))
        {
            // In this order they come out of one wait: the end of the first connection, the next one for its slot, and then what the
            // first one's backend had to say, which would look as if the next one's had been connected to.
            client.Reset();
            next = await ConnectAsync(rig);
            await server.SendAsync("late"u8.ToArray());
        }

        await Patience.Until(() => rig.Records.EndedCount == 1 && rig.Listener.Accepted == 2, "the one is over, the other there");
        int used = await AskAsync(rig, w => w.Slots.End - 1);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ClientReset));
            Assert.That(used, Is.EqualTo(index), "the slot is the same");
            Assert.That(rig.Records.IsEstablished(next.Local), Is.False);
            Assert.That(rig.Listener.Pending, Is.EqualTo(1), "it still waits for its backend");
        }
    }
}
