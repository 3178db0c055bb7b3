using System.Diagnostics;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>
/// "Closed by us": relaying stops, what was read is written, FIN goes both ways, then we read and discard until both have closed or 5 s
/// have passed; only a peer that still sends then is reset.
/// </summary>
[Parallelizable(ParallelScope.All)]
internal abstract class CloseContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const long Endless = 1L << 40;
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    [Test]
    public async Task One_connection_is_closed_by_its_id()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer other, Peer otherServer) = await OpenAsync(rig, backend);
        ulong id = IdOf(rig, client);

        Assert.That(rig.Engine.Close(id, CloseReason.Admin), Is.True);

        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        client.Finish();
        server.Finish();
        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((end.Id, end.Reason), Is.EqualTo((id, CloseReason.Admin)));
            Assert.That(end.TotalTime, Is.LessThan(Grace), "both closed at once");
            Assert.That(rig.ClosedAs(CloseReason.Admin), Is.EqualTo(1));
            Assert.That(rig.Engine.Close(id, CloseReason.Admin), Is.False, "it is over");
        }

        await FinishAsync(other, otherServer);
    }

    [Test]
    public void An_id_that_no_connection_has_closes_nothing()
    {
        Rig rig = Start(Settings.Pool(Backend()));

        Assert.That(rig.Engine.Close(12345, CloseReason.Admin), Is.False);
    }

    [Test]
    public async Task A_connection_without_a_backend_yet_is_refused()
    {
        Rig rig = Start(Settings.Pool(Keep(await TestBackend.SilentAsync())) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.List().Count == 1, "it is listed");

        Assert.That(rig.Engine.Close(IdOf(rig, client), CloseReason.Admin), Is.True);

        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Admin));
        Assert.That(rig.Listener.Refused[CloseReason.Admin], Is.EqualTo(1));
    }

    [Test]
    public async Task What_was_read_is_written_before_the_FIN([Values] bool byClient)
    {
        TestBackend backend = Backend(receiveBuffer: 16 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend, sendBuffer: 64 * 1024);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        Task<string> sending = from.SendPatternAsync(8, Endless);
        await Patience.UntilStill(() => from.Sent, TimeSpan.FromMilliseconds(300));
        long read = EngineSocket.Find(from.Remote, from.Local).BytesRead;

        rig.Engine.Close(IdOf(rig, client), CloseReason.Admin);
        Received received = await to.ReceiveAllAsync();
        to.Finish();

        Assert.That(async () => await sending, Throws.InstanceOf<SocketException>(), "it sends on and on, and is reset");
        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(received.End, Is.EqualTo(StreamEnd.Fin));
            Assert.That(received.Bytes, Is.GreaterThanOrEqualTo(read));
            Assert.That(received.Digest, Is.EqualTo(Pattern.DigestOf(8, received.Bytes)), "a prefix of what was sent");
            Assert.That(byClient ? end.BytesToBackend : end.BytesToClient, Is.EqualTo(received.Bytes));
        }
    }

    [Test]
    public async Task A_peer_that_does_not_read_does_not_hold_up_the_FIN_to_the_other([Values] bool byClient)
    {
        TestBackend backend = Backend(receiveBuffer: 16 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend, sendBuffer: 64 * 1024);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        Task sending = from.SendPatternAsync(8, Endless);
        await Patience.UntilStill(() => from.Sent, TimeSpan.FromMilliseconds(300));

        long read = EngineSocket.Find(from.Remote, from.Local).BytesRead;
        long start = Stopwatch.GetTimestamp();
        rig.Engine.Close(IdOf(rig, client), CloseReason.Admin);
        Received received = await from.ReceiveAllAsync();

        Assert.That(received.End, Is.EqualTo(StreamEnd.Fin));
        Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(Grace - TimeSpan.FromSeconds(1)));
        Assert.That(async () => await sending, Throws.InstanceOf<SocketException>(), "it sends on and on, and is reset");
        Received late = await to.ReceiveAllAsync();
        Assert.That(late.End, Is.EqualTo(late.Bytes < read ? StreamEnd.Reset : StreamEnd.Fin), "a FIN says that nothing is missing");
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Admin));
    }

    [Test]
    public async Task A_peer_that_still_sends_and_then_closes_is_not_reset()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        rig.Engine.Close(IdOf(rig, client), CloseReason.Admin);
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        await client.SendPatternAsync(12, 4 * 1024 * 1024);
        await Patience.Until(() => client.SendQueueIsEmpty, "it is read and discarded");
        client.Finish();
        await Patience.Until(() => client.IsOver, "both sides have finished");
        server.Finish();

        Received received = await server.ReceiveAllAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(client.PendingError, Is.EqualTo(SocketError.Success));
            Assert.That((received.Bytes, received.End), Is.EqualTo((0L, StreamEnd.Fin)));
        }
    }

    [Test]
    public async Task A_peer_that_sends_on_and_on_is_reset_after_five_seconds()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        long start = Stopwatch.GetTimestamp();
        rig.Engine.Close(IdOf(rig, client), CloseReason.Admin);
        Task<string> sending = client.SendPatternAsync(13, Endless);
        Received received = await server.ReceiveAllAsync();
        server.Finish();

        Assert.That(async () => await sending, Throws.InstanceOf<SocketException>());
        Assert.That(Stopwatch.GetElapsedTime(start), Is.InRange(Grace - TimeSpan.FromMilliseconds(100), Grace + TimeSpan.FromSeconds(4)));
        Assert.That(received.End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Admin));
    }

    private static ulong IdOf(Rig rig, Peer client) => rig.List().Single(r => r.Tuple.Source == client.Local).Id;
}
