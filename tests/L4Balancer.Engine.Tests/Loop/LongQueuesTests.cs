using System.Buffers.Binary;
using System.Net.Sockets;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Tests.Loop;

[Platform("Linux")]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class LongQueuesTests
{
    private readonly SlotTable _slots = new();
    private readonly List<Socket> _sockets = [];
    private LongQueues _queues = null!;

    [SetUp]
    public void Create() => _queues = new LongQueues(_slots);

    [TearDown]
    public void Close() => _sockets.ForEach(s => s.Dispose());

    [Test]
    public void A_place_lifts_the_limit_of_the_sink_and_its_end_sets_it_again([Values] bool toBackend)
    {
        ref Slot slot = ref NewSlot();
        Socket sink = _sockets[toBackend ? ^1 : ^2];
        _queues.Enter(ref slot, toBackend, Start);
        Assert.That((LimitOf(sink), _queues.InUse), Is.EqualTo((SocketOptions.NoUnsentLimit, 1)));
        _queues.Enter(ref slot, toBackend, Start);
        Assert.That(_queues.InUse, Is.EqualTo(1), "one place a direction");
        _queues.Leave(ref slot, toBackend);
        Assert.That((LimitOf(sink), _queues.InUse), Is.EqualTo((SocketOptions.UnsentLimit, 0)));
    }

    [Test]
    public void Where_every_place_is_taken_the_limit_stays_until_one_is_given_back()
    {
        Fill();
        ref Slot late = ref NewSlot();
        _queues.Enter(ref late, toBackend: false, Start);
        Assert.That((LimitOf(_sockets[^2]), late.ToClient.LongQueue), Is.EqualTo((SocketOptions.UnsentLimit, 0)));

        _queues.Forget(ref _slots[3].ToClient);
        _queues.Forget(ref _slots[3].ToClient);
        Assert.That(_queues.InUse, Is.EqualTo(LongQueues.Places - 1), "given back once");
        _queues.Enter(ref late, toBackend: false, Start);
        Assert.That((LimitOf(_sockets[^2]), _queues.InUse), Is.EqualTo((SocketOptions.NoUnsentLimit, LongQueues.Places)));
    }

    [Test]
    public void A_quiet_connection_loses_its_place_to_one_that_needs_it()
    {
        Fill();
        Instant later = Start + LongQueues.Quiet;
        for (int i = 0; i < LongQueues.Places; i++)
        {
            _slots[i].LastActivity = i == 5 ? Start : later;
        }

        ref Slot late = ref NewSlot();
        _queues.Enter(ref late, toBackend: false, later);
        Assert.That((late.ToClient.LongQueue, _slots[5].ToClient.LongQueue), Is.EqualTo((6, 0)));
        Assert.That(LimitOf(_sockets[5 * 2]), Is.EqualTo(SocketOptions.UnsentLimit));

        late.LastActivity = later;
        ref Slot last = ref NewSlot();
        _queues.Enter(ref last, toBackend: false, later + TimeSpan.FromSeconds(2));
        Assert.That(last.ToClient.LongQueue, Is.Zero, "every other one is busy");
    }

    private static Instant Start => new(TimeSpan.TicksPerDay);

    private void Fill()
    {
        for (int i = 0; i < LongQueues.Places; i++)
        {
            ref Slot slot = ref NewSlot();
            _queues.Enter(ref slot, toBackend: false, Start);
        }
    }

    private ref Slot NewSlot()
    {
        ref Slot slot = ref _slots[_slots.Rent()];
        _slots.BeginRelay(ref slot);
        slot.LastActivity = Start;
        slot.Client = Add(NewSocket());
        slot.Backend = Add(NewSocket());
        return ref slot;
    }

    private int Add(Socket socket)
    {
        _sockets.Add(socket);
        return (int)socket.Handle;
    }

    private static Socket NewSocket()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        SocketOptions.Apply((int)socket.Handle, TimeSpan.Zero, "");
        return socket;
    }

    private static int LimitOf(Socket socket)
    {
        byte[] value = new byte[sizeof(int)];
        socket.GetRawSocketOption(Libc.IPPROTO_TCP, Libc.TCP_NOTSENT_LOWAT, value);
        return BinaryPrimitives.ReadInt32LittleEndian(value);
    }
}
