using System.Runtime.InteropServices;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Linux;

/// <summary>struct epoll_event is packed on x86-64 only: what goes in has to come out, for several events at once.</summary>
internal sealed class EventPollTests
{
    [Test]
    public void Every_event_of_a_batch_carries_its_own_mark()
    {
        const int count = 5;
        using var poll = new EventPoll(count);
        List<WakeUp> signalled = [.. Enumerable.Range(0, count).Select(_ => new WakeUp())];
        for (int i = 0; i < count; i++)
        {
            Assert.That(poll.Add(signalled[i].Descriptor, Libc.EPOLLIN, Mark(i)).IsError, Is.False);
            signalled[i].Signal();
        }

        int found = poll.Wait(1000);
        Assert.That(found, Is.EqualTo(count));
        Assert.That(Enumerable.Range(0, found).Select(poll.Data), Is.EquivalentTo(Enumerable.Range(0, count).Select(Mark)));
        Assert.That(Enumerable.Range(0, found).Select(poll.Events), Is.All.EqualTo(Libc.EPOLLIN));
        signalled.ForEach(s => s.Dispose());
    }

    [Test]
    public unsafe void The_layout_is_that_of_the_architecture()
    {
        // sys/epoll.h: __attribute__((packed)) on x86-64. The kernel itself is the witness: it writes an event where this says it is.
        int stride = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
        int epoll = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
        using var first = new WakeUp();
        using var second = new WakeUp();
        first.Signal();
        second.Signal();
        byte* entry = stackalloc byte[16];
        byte* events = stackalloc byte[64];
        new Span<byte>(events, 64).Fill(0xEE);
        foreach (int descriptor in new[] { first.Descriptor, second.Descriptor })
        {
            *(uint*)entry = Libc.EPOLLIN;
            *(ulong*)(entry + stride - 8) = 0x1122334455667788;
            Assert.That(Libc.epoll_ctl(epoll, Libc.EPOLL_CTL_ADD, descriptor, entry), Is.Zero);
        }

        Assert.That(Libc.epoll_wait(epoll, events, 4, 0), Is.EqualTo(2));
        _ = Libc.close(epoll);
        for (int i = 0; i < 2; i++)
        {
            byte* one = events + (i * stride);
            Assert.That((*(uint*)one, *(ulong*)(one + stride - 8)), Is.EqualTo((Libc.EPOLLIN, 0x1122334455667788ul)));
        }

        Assert.That(events[2 * stride], Is.EqualTo(0xEE), "nothing beyond the second");
    }

    [Test]
    public void What_is_removed_tells_nothing_more()
    {
        using var poll = new EventPoll(4);
        using var wakeUp = new WakeUp();
        poll.Add(wakeUp.Descriptor, Libc.EPOLLIN, 1);
        wakeUp.Signal();
        Assert.That(poll.Wait(0), Is.EqualTo(1));
        wakeUp.Clear();
        Assert.That(poll.Wait(0), Is.Zero);
        wakeUp.Signal();
        poll.Remove(wakeUp.Descriptor);
        Assert.That(poll.Wait(0), Is.Zero);
    }

    private static ulong Mark(int i) => 0x8000_0000_0000_0001ul + ((ulong)i << 40) + (uint)i;
}
