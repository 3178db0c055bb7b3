using System.Buffers.Binary;
using System.Net.Sockets;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Tests.Loop;

[Platform("Linux")]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class LateOptionsTests : IDisposable
{
    private readonly SlotTable _slots = new();
    private readonly Socket _backend = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public void Dispose() => _backend.Dispose();

    [Test]
    public void One_small_write_costs_no_call_and_the_second_sets_the_options_before_it()
    {
        ref Slot slot = ref NewSlot();
        LateOptions.BeforeWrite(ref slot, Side.Backend, mayBePart: false);
        Assert.That(AreSet, Is.False);
        LateOptions.BeforeWrite(ref slot, Side.Backend, mayBePart: false);
        Assert.That((AreSet, slot.LacksWriteOptions), Is.EqualTo((true, false)));
    }

    [Test]
    public void A_write_that_may_be_a_part_is_treated_as_a_second_one()
    {
        ref Slot slot = ref NewSlot();
        LateOptions.BeforeWrite(ref slot, Side.Backend, mayBePart: true);
        Assert.That(AreSet, Is.True);
    }

    [Test]
    public void The_rest_of_a_write_is_a_second_one()
    {
        ref Slot slot = ref NewSlot();
        LateOptions.BeforeWrite(ref slot, Side.Backend, mayBePart: false);
        LateOptions.WroteInPart(ref slot, Side.Backend);
        Assert.That(AreSet, Is.True);
    }

    [Test]
    public void Writes_to_the_client_do_not_count()
    {
        ref Slot slot = ref NewSlot();
        LateOptions.BeforeWrite(ref slot, Side.Client, mayBePart: true);
        LateOptions.BeforeWrite(ref slot, Side.Client, mayBePart: false);
        LateOptions.WroteInPart(ref slot, Side.Client);
        LateOptions.BeforeWrite(ref slot, Side.Backend, mayBePart: false);
        Assert.That((AreSet, slot.LacksWriteOptions), Is.EqualTo((false, true)));
    }

    [Test]
    public void A_connection_that_lasts_gets_everything()
    {
        ref Slot slot = ref NewSlot();
        slot.LacksKeepalive = false;
        LateOptions.SetAll(ref slot);
        Assert.That((AreSet, slot.LacksWriteOptions), Is.EqualTo((true, false)));
    }

    private bool AreSet => Option(Libc.TCP_NODELAY) != 0 && Option(Libc.TCP_NOTSENT_LOWAT) == SocketOptions.UnsentLimit;

    private ref Slot NewSlot()
    {
        ref Slot slot = ref _slots[_slots.Rent()];
        slot.Backend = (int)_backend.Handle;
        LateOptions.Begin(ref slot, isUnix: false);
        return ref slot;
    }

    private int Option(int option)
    {
        byte[] value = new byte[sizeof(int)];
        _backend.GetRawSocketOption(Libc.IPPROTO_TCP, option, value);
        return BinaryPrimitives.ReadInt32LittleEndian(value);
    }
}
