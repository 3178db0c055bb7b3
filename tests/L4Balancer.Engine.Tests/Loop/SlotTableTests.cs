using System.Runtime.CompilerServices;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>The connections of a thread: named by index and generation, and never moved.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SlotTableTests
{
    private readonly SlotTable _slots = new();

    [Test]
    public void A_slot_that_is_used_again_has_another_generation()
    {
        HashSet<uint> generations = [];
        int index = _slots.Rent();
        for (int i = 0; i < 1000; i++)
        {
            Assert.That(generations.Add(_slots[index].Generation), Is.True);
            _slots.Return(index);
            Assert.That(_slots.Rent(), Is.EqualTo(index), "the one slot is used again");
        }
    }

    [Test]
    public void A_generation_fits_into_its_tag_also_when_it_comes_round()
    {
        int index = _slots.Rent();
        _slots[index].Generation = EventTag.GenerationMask;
        _slots.Return(index);
        _slots.Rent();
        _slots[index].State = SlotState.Established;

        Assert.That(_slots[index].Generation, Is.Zero);
        Assert.That(EventTag.Client(_slots[index]).IsOf(_slots[index]), Is.True);
    }

    [Test]
    public void A_rented_slot_remembers_nothing_of_its_former_connection()
    {
        int index = _slots.Rent();
        ref Slot slot = ref _slots[index];
        slot.Client = 7;
        slot.Backend = 8;
        slot.IsReady = true;
        slot.ClientState = SideState.Urgent;
        _slots.BeginRelay(ref slot);
        slot.ToBackend.Held = 9;
        slot.ToClient.Pipe = 3;
        slot.End.Abort(Core.Accounting.CloseReason.Admin);
        _slots.Return(index);
        _slots.Rent();
        bool hadRelay = slot.HasRelay;
        _slots.BeginRelay(ref slot);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((slot.Client, slot.Backend, slot.Setup), Is.EqualTo((Slot.NoDescriptor, Slot.NoDescriptor, -1)));
            Assert.That((slot.IsReady, slot.ClientState, hadRelay, slot.ToBackend.Held), Is.EqualTo((false, SideState.None, false, 0)));
            Assert.That((slot.ToClient.Pipe, slot.ToClient.Buffer), Is.EqualTo((PipePool.None, BufferPool.None)));
            Assert.That(slot.End.Reason, Is.EqualTo(Core.Accounting.CloseReason.None));
        }
    }

    [Test]
    public void A_reference_stays_good_while_the_table_grows()
    {
        ref Slot first = ref _slots[_slots.Rent()];
        for (int i = 0; i < 5000; i++)
        {
            _slots.Rent();
        }

        first.Client = 42;
        Assert.That(_slots[0].Client, Is.EqualTo(42));
    }

    [Test]
    public void It_rents_and_takes_back_as_a_set_would()
    {
        var random = new Random(5);
        List<int> rented = [];
        for (int i = 0; i < 20_000; i++)
        {
            if (rented.Count == 0 || random.Next(100) < 52)
            {
                int index = _slots.Rent();
                Assert.That(rented, Does.Not.Contain(index));
                rented.Add(index);
            }
            else
            {
                int at = random.Next(rented.Count);
                _slots.Return(rented[at]);
                rented.RemoveAt(at);
            }

            Assert.That(_slots.Count, Is.EqualTo(rented.Count));
        }

        Assert.That(rented, Is.All.LessThan(_slots.End));
    }

    /// <summary>With the entry in the ledger (128 bytes) and the timer, an idle connection has to stay below 512 bytes of user memory.</summary>
    [Test]
    public void An_established_connection_takes_no_more_than_it_may() => Assert.That(
        (Unsafe.SizeOf<Slot>(), Unsafe.SizeOf<RelayState>()), Is.EqualTo((240, 96)));
}
