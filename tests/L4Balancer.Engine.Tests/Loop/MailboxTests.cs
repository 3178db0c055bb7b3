using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>What any thread posts, one takes: each once, in the order of its sender, and never without a wake-up.</summary>
internal sealed class MailboxTests
{
    [Test]
    public void All_that_many_threads_post_arrives_once_and_in_order()
    {
        const int threads = 4;
        const int each = 5000;
        using var mailbox = new Mailbox();
        using var poll = new EventPoll(4);
        Assert.That(poll.Add(mailbox.Descriptor, Libc.EPOLLIN, 1).IsError, Is.False);
        Thread[] posting = [.. Enumerable.Range(0, threads).Select(t => new Thread(() => Post(mailbox, t, each)))];
        Array.ForEach(posting, t => t.Start());

        var next = new int[threads];
        int requests = 0;
        for (int taken = 0; taken < threads * each || requests < threads * each;)
        {
            Assert.That(poll.Wait(10_000), Is.EqualTo(1), $"a wake-up after {taken} sockets and {requests} requests");
            mailbox.Clear();
            while (mailbox.TryTake(out Handover handover))
            {
                Assert.That(handover.Descriptor, Is.EqualTo(next[handover.Peer.Port]++));
                taken++;
            }

            while (mailbox.TryTake(out Action<Worker>? _))
            {
                requests++;
            }
        }

        Array.ForEach(posting, t => t.Join());
        mailbox.Clear();
        Assert.That(poll.Wait(0), Is.Zero, "nothing is left, and nothing wakes");
    }

    [Test]
    public void A_closed_one_takes_nothing_and_wakes_nobody()
    {
        using var mailbox = new Mailbox();
        using var poll = new EventPoll(4);
        Assert.That(poll.Add(mailbox.Descriptor, Libc.EPOLLIN, 1).IsError, Is.False);
        Assert.That(mailbox.TryPost(new Handover(1, default, null!)), Is.True);
        mailbox.Clear();
        mailbox.Close();

        Assert.That(mailbox.TryPost(new Handover(2, default, null!)), Is.False);
        Assert.That(mailbox.TryPost(static _ => { }), Is.False);
        Assert.That(poll.Wait(0), Is.Zero);
        Assert.That(mailbox.TryTake(out Handover before), Is.True, "what was posted before is still there");
        Assert.That(before.Descriptor, Is.EqualTo(1));
        Assert.That(mailbox.TryTake(out Handover _), Is.False);
    }

    private static void Post(Mailbox mailbox, int thread, int count)
    {
        for (int i = 0; i < count; i++)
        {
            mailbox.TryPost(new Handover(i, new Endpoint(HostAddress.FromV4(0), (ushort)thread), null!));
            mailbox.TryPost(static _ => { });
        }
    }
}
