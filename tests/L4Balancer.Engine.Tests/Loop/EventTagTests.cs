using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>What epoll carries finds its connection again, and no other.</summary>
internal sealed class EventTagTests
{
    [Test]
    public void It_comes_back_as_it_went_at_every_bound(
        [Values(0, 1, 255, 256, int.MaxValue)] int index,
        [Values(0u, 1u, EventTag.GenerationMask)] uint generation,
        [Values(0, 1, 255)] byte attempt)
    {
        var slot = new Slot { Index = index, Generation = generation, Attempt = attempt, State = SlotState.Established };
        foreach (EventTag made in new[] { EventTag.Client(slot), EventTag.Backend(slot) })
        {
            var tag = new EventTag(made.Value);
            using (Assert.EnterMultipleScope())
            {
                Assert.That(tag.Index, Is.EqualTo(index));
                Assert.That((tag.IsWakeUp, tag.IsListening), Is.EqualTo((false, false)));
                Assert.That(tag.IsOf(slot), Is.True);
            }
        }

        Assert.That(EventTag.Client(slot).IsBackend, Is.False);
        Assert.That(EventTag.Backend(slot).IsBackend, Is.True);
    }

    [Test]
    public void Listening_sockets_and_the_wake_up_are_no_connections([Values(0, 1, 65_535)] int number)
    {
        EventTag tag = EventTag.Listening(number);
        Assert.That((tag.IsListening, tag.IsWakeUp, tag.Index), Is.EqualTo((true, false, number)));
        Assert.That((EventTag.WakeUp.IsListening, EventTag.WakeUp.IsWakeUp), Is.EqualTo((false, true)));
    }

    [Test]
    public void A_stale_event_is_not_of_the_slot_s_next_connection()
    {
        var slot = new Slot { Index = 3, Generation = 5, Attempt = 1, State = SlotState.Established };
        EventTag client = EventTag.Client(slot);
        EventTag backend = EventTag.Backend(slot);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(client.IsOf(slot with { Generation = 6 }), Is.False);
            Assert.That(backend.IsOf(slot with { Generation = 6 }), Is.False);
            Assert.That(client.IsOf(slot with { State = SlotState.Free }), Is.False, "of a slot that is free");
            Assert.That(backend.IsOf(slot with { Attempt = 2 }), Is.False, "of the backend socket before");
            Assert.That(client.IsOf(slot with { Attempt = 2 }), Is.True, "the client's socket stays through all attempts");
        }
    }
}
