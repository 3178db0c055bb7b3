using L4Balancer.Core.Accounting;
using L4Balancer.Core.Pacing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Epoll;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>An exception in an event loop ends what it was about, and never the loop, which would be the end of the process.</summary>
internal sealed class LoopGuardTests() : EpollFixture(workers: 2)
{
    [TestCase("Socket", true)]
    [TestCase("Connect", true)]
    [TestCase("EpollAdd", true)]
    [TestCase("Accept", false)]
    public async Task A_fault_on_the_way_in_costs_one_connection_at_most(string call, bool ends)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        SystemFault.Installed = new ThrowingCalls(Enum.Parse<SystemCall>(call), times: 1);
        if (ends)
        {
            await ExpectResetAsync(rig);
            Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Internal));
            Assert.That(rig.Listener.Refused[CloseReason.Internal], Is.EqualTo(1));
        }

        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_fault_of_accept_that_stays_makes_no_loop_spin_and_fills_no_log()
    {
        TestBackend backend = Backend();
        var log = new FakeLogCollector();
        using var loggers = new LoggerFactory([new FakeLoggerProvider(log)]);
        Rig rig = Start(Settings.Pool(backend), log: loggers);
        log.Clear();
        var throwing = new ThrowingCalls(SystemCall.Accept);
        SystemFault.Installed = throwing;
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => throwing.Count > 3, "it is tried again");
        await Patience.Elapse(TimeSpan.FromSeconds(1));
        Assert.That(throwing.Count, Is.LessThan(50));
        Assert.That(log.Count, Is.InRange(1, 2 * WorkersOf(rig).Count), "lines");

        SystemFault.Installed = null;
        await FinishAsync(client, Keep(await backend.AcceptAsync()));
    }

    [Test]
    public async Task Who_asks_an_event_loop_is_told_of_the_exception_and_the_loop_goes_on()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        var order = new ShedOrder
        {
            Reason = CloseReason.Rebalance,
            CloseRate = CloseRate.Within(TimeSpan.Zero),
            Rank = static _ => throw new InvalidOperationException("a rank of the test"),
        };

        Assert.That(async () => await rig.Engine.ShedAsync(order, CancellationToken.None).Soon(), Throws.InvalidOperationException);
        await rig.Engine.PingLoopsAsync().Soon();
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_request_that_throws_ends_no_loop()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        foreach (Worker worker in WorkersOf(rig))
        {
            worker.Mailbox.TryPost(static _ => throw new InvalidOperationException("a request of the test"));
        }

        await rig.Engine.PingLoopsAsync().Soon();
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_fault_while_bytes_are_written_ends_that_connection_as_internal()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer other, Peer otherServer) = await OpenAsync(rig, backend);
        SystemFault.Installed = new ThrowingCalls(SystemCall.Recv, times: 1);
        await client.SendAsync(new byte[1]);
        Assert.That((await client.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Internal));

        await FinishAsync(other, otherServer);
    }
}
