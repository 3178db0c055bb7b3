using System.Diagnostics;
using System.Runtime.CompilerServices;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Inspection;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>What looking at first bytes costs the loop, and what happens where a backend takes no header.</summary>
internal sealed class InspectorTests() : EpollFixture(workers: 1)
{
    [Test]
    public async Task A_hello_in_single_bytes_is_looked_at_when_it_is_complete()
    {
        (Rig rig, TestBackend backend) = StartInspecting(InspectKind.Tls);
        byte[] hello = FirstMessage.Hello("chat.example.com");
        Peer client = await ConnectAsync(rig);
        var looks = new CountedCalls(SystemCall.Recv);
        SystemFault.Installed = looks;
        await client.SendByteByByteAsync(hello.AsMemory(..^1));
        Assert.That(looks.Count, Is.LessThanOrEqualTo(3), "after the first byte, the head of the record, and the head of the message");
        await client.SendAsync(hello.AsMemory(^1..));
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(hello.Length), Is.EqualTo(hello));
    }

    [Test]
    public async Task A_head_in_single_bytes_is_looked_at_once_a_tick()
    {
        (Rig rig, TestBackend backend) = StartInspecting(InspectKind.Http);
        byte[] head = FirstMessage.Request($"/{new string('x', 300)}");
        Peer client = await ConnectAsync(rig);
        var looks = new CountedCalls(SystemCall.Recv);
        SystemFault.Installed = looks;
        long start = Stopwatch.GetTimestamp();
        await client.SendByteByByteAsync(head.AsMemory(..^1));
        double ticks = Stopwatch.GetElapsedTime(start) / TimerWheel.Tick;
        TestContext.Out.WriteLine($"{looks.Count} looks at {head.Length} bytes in {ticks:F0} ticks");
        Assert.That(looks.Count, Is.LessThanOrEqualTo(FirstBytes.FreeLooks + ticks + 1));
        await client.SendAsync(head.AsMemory(^1..));
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(head.Length), Is.EqualTo(head));
    }

    [Test]
    public async Task A_header_that_a_backend_does_not_take_at_once_is_held_and_comes_first()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { SendProxy = SendProxy.V2 }, Settings.Listener("127.0.0.1:0") with { Inspect = InspectKind.Tls });
        byte[] hello = FirstMessage.Hello("chat.example.com");

        // Setting the late options of the socket makes the kernel report free space at once, and the write that follows fails too.
        var full = new FailingCalls(SystemCall.Send, Errno.EAGAIN, times: 2);
        SystemFault.Installed = full;
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(hello);
        Peer server = Keep(await backend.AcceptAsync());
        await Patience.Until(() => full.Count == 2 && WorkersOf(rig)[0].Buffers.InUse == 1, "the header is held");

        // An edge: it reports that the socket is writable, too.
        await server.SendAsync(new byte[1]);
        byte[] start = await server.ReceiveAsync(16);
        await server.ReceiveAsync((start[14] * 256) + start[15]);
        Assert.That(await server.ReceiveAsync(hello.Length), Is.EqualTo(hello));
        await NothingIsHeldAsync(rig);
    }

    [Test]
    public async Task Clients_that_wait_hold_no_buffer()
    {
        (Rig rig, _) = StartInspecting(InspectKind.Tls);
        byte[] hello = FirstMessage.Hello("chat.example.com");
        for (int i = 0; i < 50; i++)
        {
            await (await ConnectAsync(rig)).SendAsync(hello.AsMemory(0, i));
        }

        await Patience.Until(() => rig.Listener.Pending == 50, "all are accepted");
        Assert.That(WorkersOf(rig)[0].Buffers.InUse, Is.Zero);
        int slot = Unsafe.SizeOf<Slot>();
        int setup = Unsafe.SizeOf<ConnectionSetup>();
        TestContext.Out.WriteLine($"{slot} bytes of a slot, {setup} of a set-up");
    }

    [Test]
    public async Task The_nearer_a_head_is_to_its_limit_the_rarer_are_the_looks()
    {
        (Rig rig, TestBackend backend) = StartInspecting(InspectKind.Http);
        byte[] head = FirstMessage.Request($"/{new string('x', 15_000)}");
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(head.AsMemory(..^400));
        await Patience.Until(() => client.SendQueueIsEmpty, "most of it is there");
        var looks = new CountedCalls(SystemCall.Recv);
        SystemFault.Installed = looks;
        long start = Stopwatch.GetTimestamp();
        await client.SendByteByByteAsync(head.AsMemory(^400..^1));
        double pauses = Stopwatch.GetElapsedTime(start) / (15 * TimerWheel.Tick);
        TestContext.Out.WriteLine($"{looks.Count} looks in {pauses:F1} pauses");
        Assert.That(looks.Count, Is.LessThanOrEqualTo(FirstBytes.FreeLooks + pauses + 1));
        await client.SendAsync(head.AsMemory(^1..));
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(await server.ReceiveAsync(head.Length), Is.EqualTo(head));
    }

    [TestCase(1, ExpectedResult = 8)]
    [TestCase(1023, ExpectedResult = 8)]
    [TestCase(1024, ExpectedResult = 16)]
    [TestCase(16 * 1024, ExpectedResult = 136)]
    [TestCase(64 * 1024, ExpectedResult = 520)]
    public double A_pause_grows_with_the_bytes(int bytes) => FirstBytes.PauseBefore(bytes).TotalMilliseconds;

    private (Rig Rig, TestBackend Backend) StartInspecting(InspectKind kind)
    {
        TestBackend backend = Backend();
        return (Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { Inspect = kind, InspectTimeout = TimeSpan.FromSeconds(30) }), backend);
    }
}
