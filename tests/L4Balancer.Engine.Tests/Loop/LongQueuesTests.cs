using System.Buffers.Binary;
using System.Net.Sockets;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Tests.Loop;

[Platform("Linux")]
internal sealed class LongQueuesTests
{
    [Test]
    public void A_place_lifts_the_limit_of_the_sink_and_its_end_sets_it_again()
    {
        using Socket socket = NewSocket();
        var queues = new LongQueues();
        var flow = Flow.New();
        queues.Enter(ref flow, (int)socket.Handle);
        Assert.That((LimitOf(socket), queues.InUse), Is.EqualTo((SocketOptions.NoUnsentLimit, 1)));
        queues.Enter(ref flow, (int)socket.Handle);
        Assert.That(queues.InUse, Is.EqualTo(1), "one place a direction");
        queues.Leave(ref flow, (int)socket.Handle);
        Assert.That((LimitOf(socket), queues.InUse), Is.EqualTo((SocketOptions.UnsentLimit, 0)));
    }

    [Test]
    public void Where_every_place_is_taken_the_limit_stays_until_one_is_given_back()
    {
        using Socket socket = NewSocket();
        var queues = new LongQueues();
        var flows = new Flow[LongQueues.Places];
        for (int i = 0; i < flows.Length; i++)
        {
            queues.Enter(ref flows[i], (int)socket.Handle);
        }

        using Socket late = NewSocket();
        var flow = Flow.New();
        queues.Enter(ref flow, (int)late.Handle);
        Assert.That((LimitOf(late), flow.LongQueue), Is.EqualTo((SocketOptions.UnsentLimit, false)));

        Assert.That(queues.Forget(ref flows[0]), Is.True);
        Assert.That(queues.Forget(ref flows[0]), Is.False, "given back once");
        queues.Enter(ref flow, (int)late.Handle);
        Assert.That((LimitOf(late), flow.LongQueue), Is.EqualTo((SocketOptions.NoUnsentLimit, true)));
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
